//! A ring as a picture: its partners on a circle, joined where they share something, the wider the more it says.

use std::fmt::Write;

use crate::pages::chart::escaped;

/// How wide and high a picture is, in its own units.
const WIDTH: f64 = 680.0;
const HEIGHT: f64 = 380.0;
/// How far partners are from the middle.
const RADIUS: f64 = 130.0;
/// How far a name is from its partner.
const BESIDE: f64 = 22.0;
/// How wide the thinnest and the widest line are.
const THIN: f64 = 1.5;
const WIDE: f64 = 9.0;
/// More letters of a name do not fit.
const LETTERS: usize = 18;

/// Partners and what joins them.
pub struct Drawing {
    /// What they are called.
    pub names: Vec<String>,
    /// Which of them are joined, by their places, and how surprising that is.
    pub joined: Vec<(usize, usize, f64)>,
}

impl Drawing {
    /// The picture, as SVG that takes its colours from the stylesheet.
    pub fn svg(&self, label: &str) -> String {
        let mut svg = format!(
            r#"<svg class="ring" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}">"#,
            escaped(label)
        );
        let most = self.joined.iter().map(|(_, _, surprise)| *surprise).fold(f64::MIN_POSITIVE, f64::max);
        for (one, other, surprise) in &self.joined {
            let ((x1, y1), (x2, y2)) = (self.place(*one), self.place(*other));
            let width = THIN + (WIDE - THIN) * (surprise / most).clamp(0.0, 1.0);
            _ = write!(
                svg,
                r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke-width="{width:.1}"/>"#
            );
        }
        for (place, name) in self.names.iter().enumerate() {
            let ((x, y), (cos, sin)) = (self.place(place), self.direction(place));
            let anchor = if cos < -0.3 {
                "end"
            } else if cos < 0.3 {
                "middle"
            } else {
                "start"
            };
            let (beside_x, beside_y) = (x + BESIDE * cos, y + (BESIDE + 4.0) * sin + 5.0);
            _ = write!(
                svg,
                r#"<circle cx="{x:.1}" cy="{y:.1}" r="13"/><text class="number" x="{x:.1}" y="{:.1}" text-anchor="middle">{}</text><text x="{beside_x:.1}" y="{beside_y:.1}" text-anchor="{anchor}">{}</text>"#,
                y + 4.5,
                place + 1,
                escaped(&cut(name))
            );
        }
        svg + "</svg>"
    }

    /// Where a partner is: the first above, the others clockwise.
    fn place(&self, place: usize) -> (f64, f64) {
        let (cos, sin) = self.direction(place);
        (WIDTH / 2.0 + RADIUS * cos, HEIGHT / 2.0 + RADIUS * sin)
    }

    fn direction(&self, place: usize) -> (f64, f64) {
        let all = u32::try_from(self.names.len().max(1)).map_or(1.0, f64::from);
        let turned = u32::try_from(place).map_or(0.0, f64::from) / all - 0.25;
        let angle = std::f64::consts::TAU * turned;
        (libm::cos(angle), libm::sin(angle))
    }
}

fn cut(name: &str) -> String {
    if name.chars().count() <= LETTERS {
        return name.to_owned();
    }
    let kept: String = name.chars().take(LETTERS - 1).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_most_is_widest_and_names_stay_text() {
        let names = ["<b>Bo</b>", "Cy", "A partner with a rather long name"].map(ToOwned::to_owned).to_vec();
        let svg = Drawing { names, joined: vec![(0, 1, 12.0), (1, 2, 3.0)] }.svg("a \"ring\"");
        let widths: Vec<&str> =
            svg.split("stroke-width=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(widths, ["9.0", "3.4"]);
        assert!(
            svg.contains("&lt;b&gt;Bo")
                && !svg.contains("<b>")
                && svg.contains("aria-label=\"a &quot;ring&quot;\""),
            "{svg}"
        );
        assert!(svg.contains("A partner with a…"), "{svg}");
        assert!(svg.contains(r#"<circle cx="340.0" cy="60.0""#), "the first is above: {svg}");
    }
}
