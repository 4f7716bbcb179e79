//! Pictures of curves and bars, as SVG.

use anyhow::{Result, anyhow};
use plotters::{
    chart::{ChartBuilder, SeriesLabelPosition},
    drawing::IntoDrawingArea,
    element::{PathElement, Rectangle},
    series::LineSeries,
    style::{Color, RGBColor},
};
use plotters_svg::SVGBackend;

const SIZE: (u32, u32) = (560, 360);
/// Okabe and Ito's colours (2008), which those who do not see all colours tell apart, too.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
];

/// A picture with two axes.
#[derive(Clone, Debug)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// What is to the right, and what is up.
    axes: (String, String),
    lines: Vec<Line>,
}

/// What is drawn.
#[derive(Clone, Debug)]
pub struct Line {
    name: String,
    points: Vec<[f64; 2]>,
    shape: Shape,
}

/// How points are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Joined by a line.
    Curve,
    /// Each a bar from zero, as wide as it is to the next.
    Bars,
}

impl Line {
    /// A curve through these points.
    #[must_use]
    pub fn new(name: &str, points: Vec<[f64; 2]>) -> Self {
        Self { name: name.to_owned(), points, shape: Shape::Curve }
    }

    /// Bars that begin at these points; the last says only where the one before ends.
    #[must_use]
    pub fn bars(name: &str, points: Vec<[f64; 2]>) -> Self {
        Self { name: name.to_owned(), points, shape: Shape::Bars }
    }
}

impl Plot {
    /// An empty picture.
    #[must_use]
    pub fn new(title: &str, (right, up): (&str, &str)) -> Self {
        Self { title: title.to_owned(), axes: (right.to_owned(), up.to_owned()), lines: Vec::new() }
    }

    /// The same with a line more.
    #[must_use]
    pub fn with(mut self, line: Line) -> Self {
        self.lines.push(line);
        self
    }

    /// The picture as an `svg` element.
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub fn svg(&self) -> Result<String> {
        let mut text = String::new();
        self.draw(&mut text).map_err(|why| anyhow!("the picture {:?} cannot be drawn: {why}", self.title))?;
        Ok(text)
    }

    fn draw(&self, text: &mut String) -> Result<(), String> {
        let told = |error: &dyn std::fmt::Display| error.to_string();
        let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&area);
        chart.margin(10).x_label_area_size(42).y_label_area_size(56);
        let mut chart = chart
            .build_cartesian_2d(self.range(0, false), self.range(1, true))
            .map_err(|error| told(&error))?;
        let mesh = chart
            .configure_mesh()
            .x_desc(&self.axes.0)
            .y_desc(&self.axes.1)
            .light_line_style(RGBColor(240, 240, 240))
            .draw();
        mesh.map_err(|error| told(&error))?;
        for (line, colour) in self.lines.iter().zip(COLOURS.iter().copied().cycle()) {
            let drawn = match line.shape {
                Shape::Curve => chart.draw_series(LineSeries::new(
                    line.points.iter().map(|[x, y]| (*x, *y)),
                    colour.stroke_width(2),
                )),
                Shape::Bars => chart.draw_series(line.points.windows(2).map(|pair| {
                    let [[from, height], [to, _]] = [pair[0], pair[1]];
                    Rectangle::new([(from, 0.0), (to, height)], colour.mix(0.45).filled())
                })),
            };
            let drawn = drawn.map_err(|error| told(&error))?;
            drawn
                .label(&line.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(3)));
        }
        let legend = chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .background_style(RGBColor(255, 255, 255).mix(0.8))
            .border_style(RGBColor(200, 200, 200))
            .draw();
        legend.map_err(|error| told(&error))?;
        area.present().map_err(|error| told(&error))
    }

    /// From the least to the greatest of a coordinate, with zero where bars begin there.
    fn range(&self, axis: usize, with_zero: bool) -> std::ops::Range<f64> {
        let values = self.lines.iter().flat_map(|line| line.points.iter().map(|point| point[axis]));
        let values = values.filter(|value| value.is_finite());
        let zero = if with_zero { Some(0.0) } else { None };
        let (least, greatest) =
            values.chain(zero).fold((f64::INFINITY, f64::NEG_INFINITY), |(least, greatest), value| {
                (least.min(value), greatest.max(value))
            });
        if greatest <= least || !least.is_finite() {
            let middle = if least.is_finite() { least } else { 0.0 };
            return middle - 0.5..middle + 0.5;
        }
        least..greatest + (greatest - least) * 0.02
    }
}
