//! Requests that bring tensors of rows are run together, where what a graph says of a row does not depend on the others.

use std::ops::Range;

use super::graph::Graph;
use crate::{
    registry::Manifest,
    tensor::{Tensor, Values},
};

/// So many rows of the parity vectors are tried.
const TRIED: usize = 32;

/// How many rows a request has.
pub(super) fn rows(inputs: &[Tensor]) -> usize {
    inputs.first().and_then(|input| input.shape().first()).copied().unwrap_or_default()
}

/// The inputs of several requests, one below the other; nothing where they do not go together.
pub(super) fn joined(all: &[&[Tensor]]) -> Option<Vec<Tensor>> {
    let ports = 0..all.first()?.len();
    ports.map(|port| stacked(&all.iter().map(|one| one.get(port)).collect::<Option<Vec<_>>>()?)).collect()
}

/// These rows of each tensor; nothing where one has not so many.
pub(super) fn part(of: &[Tensor], rows: &Range<usize>) -> Option<Vec<Tensor>> {
    of.iter().map(|tensor| cut(tensor, rows)).collect()
}

/// Whether a graph says of the rows that it knows together, to the bit, what it says of each alone. A graph that knows
/// fewer than two rows shows nothing.
pub(super) fn rows_stand_alone(graph: &mut Graph, manifest: &Manifest) -> bool {
    let signature = &manifest.about.signature;
    if !signature.inputs.iter().chain(&signature.outputs).all(|port| port.takes_any_rows()) {
        return false;
    }
    let known = manifest.about.parity.iter().filter_map(|vector| {
        signature.inputs.iter().map(|port| vector.inputs.get(&port.name).cloned()).collect::<Option<Vec<_>>>()
    });
    let single =
        |inputs: Vec<Tensor>| (0..rows(&inputs)).filter_map(move |row| part(&inputs, &(row..row + 1)));
    let singles: Vec<Vec<Tensor>> = known.flat_map(single).take(TRIED).collect();
    let mut run = |inputs: &[Tensor]| graph.run(&inputs.iter().collect::<Vec<_>>()).ok();
    let alone: Option<Vec<Vec<Tensor>>> = singles.iter().map(|inputs| run(inputs)).collect();
    let inputs = joined(&singles.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let (Some(alone), Some(together)) = (alone, inputs.and_then(|inputs| run(&inputs))) else { return false };
    let same = |(row, alone): (usize, &Vec<Tensor>)| {
        part(&together, &(row..row + 1)).is_some_and(|together| are_same(&together, alone))
    };
    1 < singles.len()
        && together.iter().all(|it| rows(std::slice::from_ref(it)) == singles.len())
        && alone.iter().enumerate().all(same)
}

fn are_same(one: &[Tensor], other: &[Tensor]) -> bool {
    let bits = |tensor: &Tensor| match tensor.values() {
        Values::Float32(values) => values.iter().map(|value| u64::from(value.to_bits())).collect(),
        Values::Float64(values) => values.iter().map(|value| value.to_bits()).collect(),
        Values::Int64(values) => values.iter().map(|value| value.cast_unsigned()).collect(),
        Values::Text(_) => Vec::new(),
    };
    let same = |(one, other): (&Tensor, &Tensor)| match (one.values(), other.values()) {
        (Values::Text(one), Values::Text(other)) => one == other,
        _ => one.shape() == other.shape() && one.element() == other.element() && bits(one) == bits(other),
    };
    one.len() == other.len() && one.iter().zip(other).all(same)
}

fn stacked(tensors: &[&Tensor]) -> Option<Tensor> {
    fn all<T: Clone>(tensors: &[&Tensor], read: fn(&Values) -> Option<&Vec<T>>) -> Option<Vec<T>> {
        let parts: Vec<&[T]> =
            tensors.iter().map(|tensor| read(tensor.values()).map(Vec::as_slice)).collect::<Option<_>>()?;
        Some(parts.concat())
    }
    let first = tensors.first()?;
    let row = first.shape().get(1..)?;
    if tensors.iter().any(|tensor| tensor.shape().get(1..) != Some(row)) {
        return None;
    }
    let values = match first.values() {
        Values::Float32(_) => Values::Float32(all(tensors, |it| match it {
            Values::Float32(values) => Some(values),
            _ => None,
        })?),
        Values::Float64(_) => Values::Float64(all(tensors, |it| match it {
            Values::Float64(values) => Some(values),
            _ => None,
        })?),
        Values::Int64(_) => Values::Int64(all(tensors, |it| match it {
            Values::Int64(values) => Some(values),
            _ => None,
        })?),
        Values::Text(_) => Values::Text(all(tensors, |it| match it {
            Values::Text(values) => Some(values),
            _ => None,
        })?),
    };
    let count = tensors.iter().filter_map(|tensor| tensor.shape().first()).sum();
    let shape = std::iter::once(count).chain(row.iter().copied()).collect();
    Tensor::new(shape, values).ok()
}

fn cut(tensor: &Tensor, rows: &Range<usize>) -> Option<Tensor> {
    let width = tensor.width();
    let places = rows.start * width..rows.end * width;
    let values = match tensor.values() {
        Values::Float32(values) => Values::Float32(values.get(places)?.to_vec()),
        Values::Float64(values) => Values::Float64(values.get(places)?.to_vec()),
        Values::Int64(values) => Values::Int64(values.get(places)?.to_vec()),
        Values::Text(values) => Values::Text(values.get(places)?.to_vec()),
    };
    let shape = std::iter::once(rows.len()).chain(tensor.shape().get(1..)?.iter().copied()).collect();
    Tensor::new(shape, values).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::{
        graph::{ElementType, Graph as Drawn, Metadata, TensorType},
        registry::{Alias, Force, Publication, Registry, Version},
        session::{ScoreError, Serving, Settings},
        testing::{fraud, promote, publication, runtime, score},
    };

    /// A service of this publication, whose worker is held up until all of these requests wait.
    fn behind_one(next: &Publication, requests: &[Vec<f64>]) -> Vec<Result<Vec<Tensor>, ScoreError>> {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::in_folder(folder.path());
        registry.publish(&fraud(), next).unwrap();
        promote(&registry, Version(1), Force::No).unwrap();
        let settings = Settings { largest_batch: 4, ..Settings::default() };
        let serving = Serving::new(runtime(), registry, (fraud(), Alias::Champion), None, settings);
        serving.poll().unwrap();
        let current = serving.current().unwrap();
        let (begun, has_begun) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let row =
            |values: Vec<f64>| vec![Tensor::new(vec![values.len() / 2, 2], Values::Float64(values)).unwrap()];
        let hold = move |_: crate::session::Run<'_>| {
            begun.send(()).unwrap();
            may_go_on.recv().unwrap();
        };
        current.infer(row(vec![0.0, 0.0]), hold).unwrap();
        has_begun.recv().unwrap();
        let (tell, told) = mpsc::channel();
        for (place, values) in requests.iter().enumerate() {
            let tell = tell.clone();
            let ask = move |run: crate::session::Run<'_>| {
                let outputs = run();
                assert!(place != 1, "one who panics takes nobody along");
                tell.send((place, outputs)).unwrap();
            };
            current.infer(row(values.clone()), ask).unwrap();
        }
        drop(tell);
        go_on.send(()).unwrap();
        let mut answers: Vec<_> = told.iter().collect();
        answers.sort_by_key(|answer| answer.0);
        answers.into_iter().map(|answer| answer.1).collect()
    }

    /// Whether requests for this publication would be run together.
    fn stand_alone(next: &Publication) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::in_folder(folder.path());
        let version = registry.publish(&fraud(), next).unwrap();
        let manifest = registry.manifest(&fraud(), version).unwrap();
        rows_stand_alone(&mut Graph::open(&runtime(), &next.model).unwrap(), &manifest)
    }

    #[test]
    fn rows_stand_alone_where_the_rows_that_are_known_say_so() {
        let mut one_row = publication(2.0, 0.9);
        for vector in &mut one_row.about.parity {
            let first = |tensor: &mut Tensor| *tensor = cut(tensor, &(0..1)).unwrap();
            vector.inputs.values_mut().for_each(first);
            vector.outputs.values_mut().for_each(first);
        }
        assert_eq!(
            [publication(2.0, 0.9), of_all(), one_row].each_ref().map(stand_alone),
            [true, false, false]
        );
    }

    fn requests() -> Vec<Vec<f64>> {
        [&[0.5, 2.0][..], &[7.0, 7.0], &[-3.0, 1.0, 0.25, 4.0], &[1.0, -1.0], &[9.0, 0.0]]
            .map(<[f64]>::to_vec)
            .to_vec()
    }

    #[test]
    fn rows_that_stand_alone_are_run_together_and_told_apart() {
        let (requests, answers) = (requests(), behind_one(&publication(2.0, 0.9), &requests()));
        let asked: Vec<&Vec<f64>> =
            requests.iter().enumerate().filter(|(at, _)| *at != 1).map(|it| it.1).collect();
        assert_eq!(answers.len(), asked.len());
        for (values, answer) in asked.iter().zip(answers) {
            let outputs = answer.unwrap();
            let expected: Vec<f64> = values.chunks(2).map(|row| score(2.0, row)).collect();
            assert_eq!(outputs[0].shape(), [expected.len(), 1]);
            for (row, expected) in expected.iter().enumerate() {
                assert!((outputs[0].values().at(row).unwrap() - expected).abs() < 1e-12, "{values:?}");
            }
            assert_eq!(outputs[1].shape(), [expected.len(), 2]);
        }
    }

    /// Each row with the sum of all: what it says depends on who else is there.
    fn of_all() -> Publication {
        let mut next = publication(2.0, 0.9);
        let mut graph = Drawn::new("fraud");
        let x = graph.input("x", TensorType::rows(ElementType::F64, 2), "").unwrap();
        let sum = graph.sum(&x, 0).unwrap();
        let all = graph.add(&x, &sum).unwrap();
        graph.output("reasons", &all, "").unwrap();
        next.model = graph.finish(&Metadata::default()).unwrap();
        next.about.signature.outputs.remove(0);
        next.about.thresholds.clear();
        for vector in &mut next.about.parity {
            vector.outputs.remove("score");
            let values = vec![-2.0, 5.0, -5.5, 4.0, -2.5, 3.0];
            vector
                .outputs
                .insert("reasons".to_owned(), Tensor::new(vec![3, 2], Values::Float64(values)).unwrap());
        }
        next
    }

    #[test]
    fn rows_that_mean_something_to_each_other_are_never_run_with_others() {
        let answers = behind_one(&of_all(), &requests());
        let numbers = |answer: &Result<Vec<Tensor>, ScoreError>| answer.as_ref().unwrap()[0].values().clone();
        assert_eq!(numbers(&answers[0]), Values::Float64(vec![1.0, 4.0]));
        assert_eq!(numbers(&answers[1]), Values::Float64(vec![-5.75, 6.0, -2.5, 9.0]));
    }
}
