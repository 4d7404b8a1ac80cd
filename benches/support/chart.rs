//! What changes over time, as SVG.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

/// Lines over ticks.
pub(crate) struct Chart<'a> {
    pub(crate) title: &'a str,
    /// The name of each line, and its value in each tick.
    pub(crate) lines: Vec<(&'a str, Vec<f64>)>,
}

impl Chart<'_> {
    /// Writes the chart. The vertical axis starts at zero, and leaves room for the names above.
    pub(crate) fn write(&self, to: &Path) -> Result<(), Box<dyn Error>> {
        let area = SVGBackend::new(to, (720, 420)).into_drawing_area();
        area.fill(&WHITE)?;
        let lines = || self.lines.iter();
        let ticks = lines().map(|(_, line)| line.len()).max().unwrap_or(0);
        let values = lines().flat_map(|(_, line)| line);
        let top = values.copied().fold(0.0, f64::max) * 1.5;
        let mut chart = ChartBuilder::on(&area)
            .caption(self.title, ("sans-serif", 24))
            .margin(12)
            .margin_right(36)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(0..ticks, 0.0..top)?;
        chart
            .configure_mesh()
            .x_desc("tick")
            .axis_desc_style(("sans-serif", 18))
            .label_style(("sans-serif", 16))
            .y_label_formatter(&|y| format!("{y:.0}"))
            .light_line_style(TRANSPARENT)
            .draw()?;
        for (place, (name, line)) in self.lines.iter().enumerate() {
            let colour = Palette99::pick(place);
            let style = ShapeStyle::from(&colour).stroke_width(2);
            chart
                .draw_series(LineSeries::new(line.iter().copied().enumerate(), style))?
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
