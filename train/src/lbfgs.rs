//! The minimum of a smooth function of many variables: L-BFGS (Nocedal and Wright 2006, "Numerical Optimization",
//! algorithms 7.4 and 3.1).

use std::collections::VecDeque;

/// How many steps are remembered.
const MEMORY: usize = 12;
/// The part of the promised descent that a step must keep.
const KEPT: f64 = 1e-4;
/// The farthest that one step moves any parameter: they are logarithms.
const FARTHEST: f64 = 2.0;

/// What is minimised, at one place.
#[derive(Clone, Debug)]
pub(crate) struct Loss {
    pub(crate) value: f64,
    /// Its derivative by each parameter.
    pub(crate) gradient: Vec<f64>,
}

/// When the search ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// After how many steps at the latest.
    pub(crate) steps: usize,
    /// The relative descent of the loss that is not worth another step; three such steps end the search.
    pub(crate) flat: f64,
}

/// A step and the change of the gradient along it.
struct Step {
    moved: Vec<f64>,
    turned: Vec<f64>,
    curvature: f64,
}

/// Where the loss is least, from `start`; `scales` are about its second derivatives there.
pub(crate) fn minimum(
    loss: impl Fn(&[f64]) -> Loss,
    start: Vec<f64>,
    scales: &[f64],
    limits: Limits,
) -> Vec<f64> {
    let (mut at, mut here) = (start.clone(), loss(&start));
    let mut memory: VecDeque<Step> = VecDeque::new();
    let mut flat = 0;
    for _ in 0..limits.steps {
        let direction = downhill(&here.gradient, scales, &memory);
        let slope = dot(&direction, &here.gradient);
        let Some((there, next)) = descend(&loss, (&at, &here), (&direction, slope)) else { break };
        let moved: Vec<f64> = there.iter().zip(&at).map(|(new, old)| new - old).collect();
        let turned: Vec<f64> = next.gradient.iter().zip(&here.gradient).map(|(new, old)| new - old).collect();
        let curvature = dot(&moved, &turned);
        if 1e-12 * dot(&turned, &turned) < curvature {
            memory.push_back(Step { moved, turned, curvature });
        }
        if MEMORY < memory.len() {
            memory.pop_front();
        }
        let gained = here.value - next.value;
        flat = if gained <= limits.flat * here.value.abs() { flat + 1 } else { 0 };
        (at, here) = (there, next);
        if 2 < flat {
            break;
        }
    }
    at
}

/// The first of ever shorter steps that descends enough; none where the gradient leads nowhere.
fn descend(
    loss: &impl Fn(&[f64]) -> Loss,
    (at, here): (&[f64], &Loss),
    (direction, slope): (&[f64], f64),
) -> Option<(Vec<f64>, Loss)> {
    let farthest = direction.iter().fold(0.0, |most, step| f64::max(most, step.abs()));
    let mut length = f64::min(1.0, FARTHEST / farthest);
    for _ in 0..30 {
        let there: Vec<f64> = at.iter().zip(direction).map(|(at, step)| at + length * step).collect();
        let next = loss(&there);
        if next.value <= here.value + KEPT * length * slope {
            return Some((there, next));
        }
        length *= 0.5;
    }
    None
}

/// The gradient, turned by what the steps so far say of the curvature.
fn downhill(gradient: &[f64], scales: &[f64], memory: &VecDeque<Step>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
    let mut parts = Vec::with_capacity(memory.len());
    for step in memory.iter().rev() {
        let part = dot(&step.moved, &direction) / step.curvature;
        direction.iter_mut().zip(&step.turned).for_each(|(x, turned)| *x -= part * turned);
        parts.push(part);
    }
    direction.iter_mut().zip(scales).for_each(|(x, scale)| *x /= scale.max(1e-3));
    for (step, part) in memory.iter().zip(parts.iter().rev()) {
        let back = dot(&step.turned, &direction) / step.curvature;
        direction.iter_mut().zip(&step.moved).for_each(|(x, moved)| *x += (part - back) * moved);
    }
    direction
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
