//! Requests that arrive while a run is under way are scored together in the next; one that arrives alone never waits.

use std::{
    collections::VecDeque,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use super::{
    check::{Loaded, failed, fed},
    error::{LoadCause, LoadError, Step},
    graph::Graph,
};
use crate::{
    Runtime,
    registry::{Alias, Manifest, ModelName, Version},
    tensor::Tensor,
};

/// How a model is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Threads that score, each with a session of its own; at least one.
    pub workers: usize,
    /// The most rows of one run; at least one.
    pub largest_batch: usize,
    /// The most requests that wait; more are refused at once.
    pub most_waiting: usize,
}

impl Default for Settings {
    /// One worker, batches of up to 256, up to 16 384 waiting.
    fn default() -> Self {
        Self { workers: 1, largest_batch: 256, most_waiting: 16_384 }
    }
}

/// What a model says of one row, with the version that says it.
#[derive(Clone, Debug)]
pub struct Answer {
    manifest: Arc<Manifest>,
    outputs: Arc<[Tensor]>,
    row: usize,
    rows: usize,
}

impl Answer {
    /// The version that answered.
    #[must_use]
    pub fn version(&self) -> Version {
        self.manifest.version
    }

    /// What is known of it.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The numbers of an output, or none where the model has no such output.
    #[must_use]
    pub fn numbers(&self, output: &str) -> Option<Vec<f64>> {
        let (tensor, places) = self.find(output)?;
        Some(places.filter_map(|place| tensor.values().at(place)).collect())
    }

    /// The first number of an output: its score, where it has one.
    #[must_use]
    pub fn number(&self, output: &str) -> Option<f64> {
        let (tensor, mut places) = self.find(output)?;
        tensor.values().at(places.next()?)
    }

    /// How many rows were scored in the same run.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    fn find(&self, output: &str) -> Option<(&Tensor, Range<usize>)> {
        let place = self.manifest.about.signature.outputs.iter().position(|port| port.name == output)?;
        let tensor = self.outputs.get(place)?;
        let width = tensor.values().len() / self.rows.max(1);
        Some((tensor, self.row * width..(self.row + 1) * width))
    }
}

/// Why a row was not scored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScoreError {
    /// Nothing serves.
    #[error(
        "{model} has no {alias} that serves: promote a version, or look why the one there is was refused"
    )]
    NoModel {
        /// Which model.
        model: ModelName,
        /// Which alias.
        alias: Alias,
    },
    /// The row is not one of this model's.
    #[error("a row of {model} has {taken} features, and {given} were given")]
    Width {
        /// Which model.
        model: ModelName,
        /// How many it takes.
        taken: usize,
        /// How many were given.
        given: usize,
    },
    /// Too many wait.
    #[error("{waiting} requests wait for {model}: try again later, or give it more workers")]
    Full {
        /// Which model.
        model: ModelName,
        /// How many wait.
        waiting: usize,
    },
    /// ONNX Runtime failed on the row.
    #[error("{model} {version} cannot score the row: {reason}")]
    Failed {
        /// Which model.
        model: ModelName,
        /// Which version.
        version: Version,
        /// What ONNX Runtime says.
        reason: String,
    },
    /// A worker stopped before it answered.
    #[error("{model} stopped before it answered: try again")]
    Stopped {
        /// Which model.
        model: ModelName,
    },
}

/// What is done with an answer, on the worker's thread: it should be short.
pub(super) type Tell = Box<dyn FnOnce(Result<Answer, ScoreError>) + Send>;

struct Request {
    row: Vec<f64>,
    tell: Tell,
}

/// A version with its workers. When the last holder lets go, they score what waits and end.
pub(super) struct Pool {
    pub(super) manifest: Arc<Manifest>,
    queue: Arc<Queue>,
    most_waiting: usize,
}

struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Request>,
    closed: bool,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What waits, at most so much, as soon as anything does; nothing when nothing more will come.
    fn take(&self, most: usize) -> Option<Vec<Request>> {
        let mut state = self.state();
        while state.waiting.is_empty() {
            if state.closed {
                return None;
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let count = most.min(state.waiting.len());
        Some(state.waiting.drain(..count).collect())
    }
}

impl Pool {
    /// Starts workers with warm sessions.
    pub(super) fn start(loaded: Loaded, runtime: &Runtime, settings: &Settings) -> Result<Self, LoadError> {
        let Loaded { manifest, bytes, graph, .. } = loaded;
        let manifest = Arc::new(manifest);
        let cold = |cause| failed(&manifest.model, manifest.version, Step::WarmUp, cause);
        let mut graphs = vec![graph];
        for _ in 1..settings.workers {
            graphs.push(Graph::open(runtime, &bytes).map_err(LoadCause::Graph).map_err(cold)?);
        }
        let queue = Arc::new(Queue { state: Mutex::default(), arrived: Condvar::new() });
        // From here on, whatever fails closes the queue, and the workers that were started end.
        let pool = Self { manifest: Arc::clone(&manifest), queue, most_waiting: settings.most_waiting };
        for (place, graph) in graphs.into_iter().enumerate() {
            let mut worker = Worker::new(Arc::clone(&manifest), graph, settings.largest_batch);
            worker.warm_up().map_err(LoadCause::Run).map_err(cold)?;
            let queue = Arc::clone(&pool.queue);
            let name = format!("{}-{place}", manifest.model);
            let thread = thread::Builder::new().name(name).spawn(move || worker.work(&queue));
            thread.map_err(LoadCause::Thread).map_err(cold)?;
        }
        Ok(pool)
    }

    /// Lets a row wait for the next run.
    pub(super) fn submit(&self, row: Vec<f64>, tell: Tell) -> Result<(), ScoreError> {
        let (model, taken) = (&self.manifest.model, self.manifest.about.features.names.len());
        if row.len() != taken {
            return Err(ScoreError::Width { model: model.clone(), taken, given: row.len() });
        }
        let mut state = self.queue.state();
        if self.most_waiting <= state.waiting.len() {
            return Err(ScoreError::Full { model: model.clone(), waiting: state.waiting.len() });
        }
        state.waiting.push_back(Request { row, tell });
        drop(state);
        self.queue.arrived.notify_one();
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.state().closed = true;
        self.queue.arrived.notify_all();
    }
}

struct Worker {
    manifest: Arc<Manifest>,
    graph: Graph,
    largest_batch: usize,
}

impl Worker {
    fn new(manifest: Arc<Manifest>, graph: Graph, largest_batch: usize) -> Self {
        let signature = &manifest.about.signature;
        // A graph with a fixed number of rows anywhere is run row by row.
        let any_rows = signature.inputs.iter().chain(&signature.outputs).all(|port| port.takes_any_rows());
        let largest_batch = if any_rows { largest_batch.max(1) } else { 1 };
        Self { manifest, graph, largest_batch }
    }

    /// Runs it on the first row that it knows, alone and as often as a batch can hold, so that the memory for both is
    /// there.
    fn warm_up(&mut self) -> Result<(), ort::Error> {
        let row = first_row(&self.manifest);
        for size in [1, self.largest_batch] {
            self.run(&vec![row.as_slice(); size])?;
        }
        Ok(())
    }

    fn work(mut self, queue: &Queue) {
        while let Some(batch) = queue.take(self.largest_batch) {
            // Should a run panic, its requests are dropped, which their askers see, and later ones are still scored.
            let _ = catch_unwind(AssertUnwindSafe(|| self.answer(batch)));
        }
    }

    fn answer(&mut self, batch: Vec<Request>) {
        let rows: Vec<&[f64]> = batch.iter().map(|request| request.row.as_slice()).collect();
        if let Ok(outputs) = self.run(&rows) {
            let (outputs, rows): (Arc<[Tensor]>, usize) = (outputs.into(), rows.len());
            for (row, request) in batch.into_iter().enumerate() {
                let manifest = Arc::clone(&self.manifest);
                tell(request.tell, Ok(Answer { manifest, outputs: Arc::clone(&outputs), row, rows }));
            }
            return;
        }
        // One row may have spoilt the run for all: each is scored alone.
        for request in batch {
            let answer = self.run(&[&request.row]).map(|outputs| Answer {
                manifest: Arc::clone(&self.manifest),
                outputs: outputs.into(),
                row: 0,
                rows: 1,
            });
            tell(request.tell, answer.map_err(|error| self.failed(&error)));
        }
    }

    fn failed(&self, error: &ort::Error) -> ScoreError {
        let Manifest { model, version, .. } = &*self.manifest;
        ScoreError::Failed { model: model.clone(), version: *version, reason: error.to_string() }
    }

    fn run(&mut self, rows: &[&[f64]]) -> Result<Vec<Tensor>, ort::Error> {
        let mut begin = 0;
        let ports = self.manifest.about.signature.inputs.iter();
        let inputs = ports.map(|port| {
            let columns = begin..begin + port.columns.len();
            begin = columns.end;
            fed(port, columns, rows)
                .ok_or_else(|| ort::Error::new(format!("the rows do not fill {:?}", port.name)))
        });
        let inputs: Vec<Tensor> = inputs.collect::<Result<_, _>>()?;
        self.graph.run(&inputs.iter().collect::<Vec<_>>())
    }
}

/// Tells an answer; whoever panics at it takes nobody along.
fn tell(tell: Tell, answer: Result<Answer, ScoreError>) {
    let _ = catch_unwind(AssertUnwindSafe(|| tell(answer)));
}

/// The first row of the first parity vector, as whoever asks would give it.
fn first_row(manifest: &Manifest) -> Vec<f64> {
    let about = &manifest.about;
    let numbers = about.signature.inputs.iter().flat_map(|port| {
        let tensor = about.parity.first().and_then(|vector| vector.inputs.get(&port.name));
        let number = move |place| tensor.and_then(|tensor| tensor.values().at(place)).unwrap_or_default();
        (0..port.columns.len()).map(number)
    });
    numbers.collect()
}
