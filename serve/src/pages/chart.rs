//! A line over days as a picture that needs no script: the numbers stand in a table behind it.

use std::fmt::Write;

/// How wide and high a picture is, in its own units.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 160.0;
/// What stays free above the line, and below it for the days' names.
const ABOVE: f64 = 12.0;
const BELOW: f64 = 22.0;
/// What stays free to the left, for the scale.
const LEFT: f64 = 72.0;

/// Values of days in a row, oldest first.
pub struct Chart<'a> {
    /// What is shown, in a sentence for those who do not see it.
    pub label: &'a str,
    /// The days, as they are written below.
    pub days: &'a [String],
    /// A value for each day; nothing of it is below zero.
    pub values: &'a [f64],
    /// How a value is written beside the scale.
    pub written: &'a dyn Fn(f64) -> String,
}

impl Chart<'_> {
    /// The picture, as SVG that takes its colours from the stylesheet.
    #[must_use]
    pub fn svg(&self) -> String {
        let most = round_up(self.values.iter().copied().fold(0.0, f64::max));
        let mut svg = format!(
            r#"<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}">"#,
            escaped(self.label)
        );
        for part in [0.0, 0.5, 1.0] {
            let (y, value) = (height(part), escaped(&(self.written)(most * part)));
            _ = write!(
                svg,
                r#"<line class="grid" x1="{LEFT}" x2="{WIDTH}" y1="{y:.1}" y2="{y:.1}"/><text x="{:.1}" y="{:.1}" text-anchor="end">{value}</text>"#,
                LEFT - 6.0,
                y + 4.0
            );
        }
        let points: Vec<(f64, f64)> = self
            .values
            .iter()
            .enumerate()
            .map(|(day, value)| (self.place(day), height(if 0.0 < most { value / most } else { 0.0 })))
            .collect();
        let line: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let (line, base) = (line.join(" "), height(0.0));
        _ = write!(
            svg,
            r#"<polygon class="area" points="{:.1},{base:.1} {line} {:.1},{base:.1}"/><polyline class="line" points="{line}"/>"#,
            self.place(0),
            self.place(self.values.len().saturating_sub(1))
        );
        self.days(&mut svg);
        svg + "</svg>"
    }

    /// The first, the middle and the last day are named.
    fn days(&self, svg: &mut String) {
        let last = self.days.len().saturating_sub(1);
        for (day, anchor) in [(0, "start"), (last / 2, "middle"), (last, "end")] {
            if let Some(name) = self.days.get(day) {
                let (x, y, name) = (self.place(day), HEIGHT - 5.0, escaped(name));
                _ = write!(svg, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{name}</text>"#);
            }
        }
    }

    fn place(&self, day: usize) -> f64 {
        let last = count(self.values.len().saturating_sub(1)).max(1.0);
        LEFT + (WIDTH - LEFT - 6.0) * count(day) / last
    }
}

fn height(part: f64) -> f64 {
    HEIGHT - BELOW - (HEIGHT - BELOW - ABOVE) * part
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(0.0, f64::from)
}

/// The next of 2, 4, 10, 20, 40, 100, …: half of it is a whole number.
fn round_up(most: f64) -> f64 {
    let mut top = 2.0;
    for factor in [2.0, 2.5, 2.0].into_iter().cycle().take(60) {
        if most <= top {
            break;
        }
        top *= factor;
    }
    top
}

/// A text within SVG.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_day_touches_the_scale_and_texts_stay_texts() {
        let days = ["<b>".to_owned(), "2".to_owned(), "3".to_owned()];
        let chart = Chart {
            label: "a \"b\"",
            days: &days,
            values: &[0.0, 20.0, 5.0],
            written: &|it| format!("{it}"),
        };
        let svg = chart.svg();
        assert!(svg.contains(r#"points="72.0,138.0 353.0,12.0 634.0,106.5""#), "{svg}");
        assert!(
            svg.contains("&lt;b&gt;") && svg.contains("a &quot;b&quot;") && !svg.contains("<b>"),
            "{svg}"
        );
    }

    #[test]
    fn a_scale_ends_in_a_number_that_can_be_halved() {
        let tops = [0.0, 2.0, 3.0, 11.0, 20.5, 41.0, 999.0].map(round_up);
        assert_eq!(tops.map(|top| format!("{top}")).join(" "), "2 2 4 20 40 100 1000");
    }
}
