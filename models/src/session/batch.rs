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
    graph::{Graph, said, said_port},
    joined::{joined, part, rows, rows_stand_alone},
    trees::Trees,
};
use crate::{
    Runtime,
    registry::{Alias, Manifest, ModelName, Version, manifest::Port},
    tensor::{Element, Tensor},
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
    /// The tensors are not what this model takes.
    #[error("{model} takes {takes}, and was given {given}")]
    Inputs {
        /// Which model.
        model: ModelName,
        /// The inputs of its signature.
        takes: String,
        /// What there is instead.
        given: String,
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
    #[error("{model} {version} cannot score this: {reason}")]
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
/// Runs a model on tensors that waited, and gives its outputs in the order of its signature.
pub type Run<'a> = &'a mut dyn FnMut() -> Result<Vec<Tensor>, ScoreError>;
/// Whoever asked for that.
pub(super) type AskTensors = Box<dyn FnOnce(Run<'_>) + Send>;

/// So many questions of trees are asked where rows arrive: a tenth of a millisecond's worth.
const MOST_AT_ONCE: usize = 50_000;
/// So many bytes of requests may wait for a model.
const MOST_BYTES: usize = 256 << 20;

/// What waits for a worker.
enum Request {
    /// A row, which others may be scored together with.
    Row(Row),
    /// Tensors, which others may be run together with where rows stand alone, and which are run as they are elsewhere.
    Tensors(Asked),
}

struct Asked {
    inputs: Vec<Tensor>,
    ask: AskTensors,
}

struct Row {
    row: Vec<f64>,
    tell: Tell,
}

/// What a worker does next.
enum Work {
    Rows(Vec<Row>),
    Tensors(Vec<Asked>),
}

/// A version with its workers. When the last holder lets go, they score what waits and end.
pub(super) struct Pool {
    pub(super) manifest: Arc<Manifest>,
    queue: Arc<Queue>,
    most_waiting: usize,
    trees: Option<Arc<Trees>>,
}

struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
    rows_stand_alone: bool,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Request>,
    /// How much memory what waits takes.
    bytes: usize,
    closed: bool,
}

impl State {
    fn push(&mut self, request: Request) {
        self.bytes += request.bytes();
        self.waiting.push_back(request);
    }

    /// The next request, if it is such a one.
    fn pop(&mut self, is_wanted: impl FnOnce(&mut Request) -> bool) -> Option<Request> {
        let next = self.waiting.pop_front_if(is_wanted)?;
        self.bytes -= next.bytes();
        Some(next)
    }
}

impl Request {
    fn bytes(&self) -> usize {
        match self {
            Self::Row(Row { row, .. }) => size_of_val(row.as_slice()),
            Self::Tensors(asked) => asked.inputs.iter().map(|tensor| tensor.values().bytes()).sum(),
        }
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What waits, rows at most so many, as soon as anything does; nothing when nothing more will come.
    fn take(&self, most: usize) -> Option<Work> {
        let mut state = self.state();
        while state.waiting.is_empty() {
            if state.closed {
                return None;
            }
            drop(self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner));
            // Whoever brought this may be about to bring more, and goes on first where both share a core.
            thread::yield_now();
            state = self.state();
        }
        Some(match state.pop(|_| true)? {
            Request::Row(first) => {
                let mut batch = vec![first];
                let is_row = |next: &mut Request| matches!(next, Request::Row(_));
                while batch.len() < most
                    && let Some(Request::Row(next)) = state.pop(is_row)
                {
                    batch.push(next);
                }
                Work::Rows(batch)
            }
            Request::Tensors(first) => {
                let most = if self.rows_stand_alone { most } else { 0 };
                let (mut count, mut all) = (rows(&first.inputs), vec![first]);
                let fits = |next: &mut Request, count: usize| matches!(next, Request::Tensors(next) if count + rows(&next.inputs) <= most);
                while let Some(Request::Tensors(next)) = state.pop(|next| fits(next, count)) {
                    count += rows(&next.inputs);
                    all.push(next);
                }
                Work::Tensors(all)
            }
        })
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
            let again = Graph::again(runtime, &bytes, graphs[0].trees());
            graphs.push(again.map_err(LoadCause::Graph).map_err(cold)?);
        }
        let rows_stand_alone = rows_stand_alone(&mut graphs[0], &manifest);
        let queue = Queue { state: Mutex::default(), arrived: Condvar::new(), rows_stand_alone };
        let queue = Arc::new(queue);
        // From here on, whatever fails closes the queue, and the workers that were started end.
        let trees = graphs[0].trees().cloned();
        let pool =
            Self { manifest: Arc::clone(&manifest), queue, most_waiting: settings.most_waiting, trees };
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
        self.queue_up(Request::Row(Row { row, tell }))
    }

    /// Lets tensors wait for a run; a few rows for trees wait for nobody.
    pub(super) fn infer(&self, inputs: Vec<Tensor>, ask: AskTensors) -> Result<(), ScoreError> {
        let ports = &self.manifest.about.signature.inputs;
        let fits = ports.len() == inputs.len() && ports.iter().zip(&inputs).all(|(port, it)| takes(port, it));
        let differ = |pair: &[Tensor]| rows(&pair[..1]) != rows(&pair[1..]);
        if !fits || inputs.windows(2).any(differ) {
            return Err(ScoreError::Inputs {
                model: self.manifest.model.clone(),
                takes: ports.iter().map(said_port).collect::<Vec<_>>().join(", "),
                given: given(ports, &inputs),
            });
        }
        if let Some(trees) = &self.trees
            && rows(&inputs).saturating_mul(trees.questions_a_row()) <= MOST_AT_ONCE
        {
            let refused = || ScoreError::Stopped { model: self.manifest.model.clone() };
            ask(&mut || trees.run(&inputs.iter().collect::<Vec<_>>()).ok_or_else(refused));
            return Ok(());
        }
        self.queue_up(Request::Tensors(Asked { inputs, ask }))
    }

    fn queue_up(&self, request: Request) -> Result<(), ScoreError> {
        let mut state = self.queue.state();
        let is_full = self.most_waiting <= state.waiting.len() || MOST_BYTES <= state.bytes;
        if is_full {
            return Err(ScoreError::Full {
                model: self.manifest.model.clone(),
                waiting: state.waiting.len(),
            });
        }
        state.push(request);
        drop(state);
        self.queue.arrived.notify_one();
        Ok(())
    }
}

/// Whether an input may be this tensor.
fn takes(port: &Port, tensor: &Tensor) -> bool {
    let sizes = port.shape.iter().zip(tensor.shape());
    port.element == tensor.element()
        && port.shape.len() == tensor.shape().len()
        && tensor.shape().iter().all(|size| 0 < *size)
        && sizes.clone().all(|(port, size)| port.is_none_or(|port| port == *size))
}

fn given(ports: &[Port], inputs: &[Tensor]) -> String {
    let named = inputs.iter().enumerate().map(|(place, tensor)| {
        let name = ports.get(place).map_or("one too many", |port| &port.name);
        let shape: Vec<_> = tensor.shape().iter().copied().map(Some).collect();
        said(name, &tensor.element().to_string(), &shape)
    });
    let named: Vec<String> = named.collect();
    if named.is_empty() { "nothing".to_owned() } else { named.join(", ") }
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
    /// there. Where it takes texts, no row of numbers is one of its own, and it is run on its first parity vector.
    fn warm_up(&mut self) -> Result<(), ort::Error> {
        let about = &self.manifest.about;
        let ports = &about.signature.inputs;
        if ports.iter().any(|port| port.element == Element::Text) {
            let known = about.parity.first();
            let inputs = ports.iter().filter_map(|port| known?.inputs.get(&port.name));
            return self.graph.run(&inputs.collect::<Vec<_>>()).map(drop);
        }
        let row = first_row(&self.manifest);
        for size in [1, self.largest_batch] {
            self.run(&vec![row.as_slice(); size])?;
        }
        Ok(())
    }

    fn work(mut self, queue: &Queue) {
        while let Some(work) = queue.take(self.largest_batch) {
            // Should a run panic, its requests are dropped, which their askers see, and later ones are still scored.
            let _ = catch_unwind(AssertUnwindSafe(|| match work {
                Work::Rows(batch) => self.answer(batch),
                Work::Tensors(all) => self.infer(all),
            }));
        }
    }

    /// Runs tensors, together where there are several; whoever panics at the outputs takes nobody along.
    fn infer(&mut self, all: Vec<Asked>) {
        let inputs: Vec<&[Tensor]> = all.iter().map(|asked| asked.inputs.as_slice()).collect();
        let inputs = if inputs.len() < 2 { None } else { joined(&inputs) };
        let together = inputs.and_then(|inputs| self.graph.run(&inputs.iter().collect::<Vec<_>>()).ok());
        let mut begin = 0;
        for Asked { inputs, ask } in all {
            let own = begin..begin + rows(&inputs);
            begin = own.end;
            // One may have spoilt the run for all: then each is run alone.
            let mut run = || match together.as_ref().and_then(|outputs| part(outputs, &own)) {
                Some(outputs) => Ok(outputs),
                None => {
                    let outputs = self.graph.run(&inputs.iter().collect::<Vec<_>>());
                    outputs.map_err(|error| self.failed(&error))
                }
            };
            let _ = catch_unwind(AssertUnwindSafe(|| ask(&mut run)));
        }
    }

    fn answer(&mut self, batch: Vec<Row>) {
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
