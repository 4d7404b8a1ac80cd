//! Figures as text.

/// A number with a comma every three digits; below ten with one decimal.
pub(crate) fn number(value: f64) -> String {
    if value < 9.95 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How many times another figure: two significant digits.
pub(crate) fn times(ratio: f64) -> String {
    match ratio {
        r if r < 0.095 => format!("{r:.3}x"),
        r if r < 0.95 => format!("{r:.2}x"),
        r if r < 9.5 => format!("{r:.1}x"),
        r => format!("{}x", number(r)),
    }
}

/// A Markdown table: the first row is the head, the first column is text and the others are figures.
pub(crate) fn table(rows: &[Vec<String>]) {
    for (n, row) in rows.iter().enumerate() {
        println!("| {} |", row.join(" | "));
        if n == 0 {
            println!("|---|{}", "---:|".repeat(row.len() - 1));
        }
    }
    println!();
}

/// The one in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
