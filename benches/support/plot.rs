//! Curves as SVG.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

/// Lines over a number that grows tenfold from point to point.
pub(crate) struct Plot<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: &'a str,
    pub(crate) y: &'a str,
    /// The name of each line, and its points.
    pub(crate) lines: Vec<(&'a str, Vec<(f64, f64)>)>,
}

impl Plot<'_> {
    /// Writes the plot. The vertical axis starts at zero, so that a flat line looks flat, and leaves room for the names above.
    pub(crate) fn write(&self, to: &Path) -> Result<(), Box<dyn Error>> {
        let area = SVGBackend::new(to, (720, 420)).into_drawing_area();
        area.fill(&WHITE)?;
        let points = || self.lines.iter().flat_map(|(_, points)| points);
        let right = points().map(|(x, _)| *x).fold(10.0, f64::max);
        let top = points().map(|(_, y)| *y).fold(0.0, f64::max) * 1.4;
        let mut chart = ChartBuilder::on(&area)
            .caption(self.title, ("sans-serif", 24))
            .margin(12)
            .margin_right(36)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d((1.0..right).log_scale(), 0.0..top)?;
        chart
            .configure_mesh()
            .x_desc(self.x)
            .y_desc(self.y)
            .axis_desc_style(("sans-serif", 18))
            .label_style(("sans-serif", 16))
            .x_label_formatter(&|x| format!("{x:.0}"))
            .light_line_style(TRANSPARENT)
            .draw()?;
        for (place, (name, points)) in self.lines.iter().enumerate() {
            let colour = Palette99::pick(place);
            let style = ShapeStyle::from(&colour).filled().stroke_width(2);
            chart
                .draw_series(LineSeries::new(points.iter().copied(), style).point_size(3))?
                .label(*name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
        }
        chart
            .configure_series_labels()
            .label_font(("sans-serif", 16))
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE)
            .border_style(BLACK)
            .draw()?;
        area.present()?;
        Ok(())
    }
}
