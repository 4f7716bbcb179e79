//! A graph under construction: every value has a type from the moment it is made, so that a wrong graph is refused
//! where it goes wrong, and the same calls give the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;

use super::{
    Dim, ElementType, GraphError, Tensor, TensorType,
    ensemble::{self, Ensemble},
    op::Op,
    proto,
};

/// The version of the file format: 10 is read by every runtime since 2024.
const IR_VERSION: i64 = 10;
/// The version of the operators of ai.onnx.
const OPSET: i64 = 21;
/// The domain of tree ensembles.
pub(crate) const ML: &str = "ai.onnx.ml";

/// A value of a graph: an input, a constant, or what an operator makes. It belongs to the graph that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    index: usize,
    name: String,
    kind: TensorType,
}

impl Value {
    /// Its element type and shape.
    pub fn kind(&self) -> &TensorType {
        &self.kind
    }

    /// Its element type.
    pub fn element(&self) -> ElementType {
        self.kind.element
    }

    /// The number of columns, where it is a row of floats for each row of the batch.
    pub(super) fn width(&self, family: &'static str) -> Result<usize, GraphError> {
        match self.kind.shape.as_slice() {
            [Dim::Batch, Dim::Fixed(width)] if self.element().is_float() => Ok(*width),
            _ => Err(GraphError::table(
                family,
                format!("it takes rows of float or double, batch × columns, not {}", self.kind),
            )),
        }
    }
}

/// What a file says of itself beside its graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The version of the program that made it.
    pub producer_version: String,
    /// What the model is for, in words.
    pub doc: String,
    /// Whatever else its users should find in it, by name.
    pub properties: BTreeMap<String, String>,
}

/// A graph under construction.
#[derive(Clone, Debug)]
pub struct Graph {
    name: String,
    values: Vec<Value>,
    names: BTreeSet<String>,
    inputs: Vec<(usize, String)>,
    constants: Vec<(usize, Tensor)>,
    steps: Vec<Step>,
    outputs: Vec<Output>,
}

/// One operator at work; values are named by their place.
#[derive(Clone, Debug)]
struct Step {
    work: Work,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Work {
    Op(Op),
    Ensemble(Box<Ensemble>),
}

#[derive(Clone, Debug)]
struct Output {
    value: usize,
    name: String,
    doc: String,
}

impl Graph {
    /// An empty graph of this name.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            values: Vec::new(),
            names: BTreeSet::new(),
            inputs: Vec::new(),
            constants: Vec::new(),
            steps: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// What the model is given when it runs.
    pub fn input(&mut self, name: &str, kind: TensorType, doc: &str) -> Result<Value, GraphError> {
        self.take_name(name)?;
        let value = self.new_value(name.to_owned(), kind);
        self.inputs.push((value.index, doc.to_owned()));
        Ok(value)
    }

    /// What the model carries. Its name in the file is the hint, with a number where that is taken.
    pub fn constant(&mut self, hint: &str, tensor: Tensor) -> Value {
        let name = self.free_name(hint);
        let value = self.new_value(name, tensor.kind());
        self.constants.push((value.index, tensor));
        value
    }

    /// Floats of the element type of `like`, which must be float or double.
    pub(super) fn floats(
        &mut self,
        hint: &str,
        like: &Value,
        shape: &[usize],
        values: &[f64],
    ) -> Result<Value, GraphError> {
        let tensor = Tensor::floats(like.element(), shape, values)?;
        Ok(self.constant(hint, tensor))
    }

    /// One number of the element type of `like`.
    pub(super) fn scalar(&mut self, hint: &str, like: &Value, value: f64) -> Result<Value, GraphError> {
        self.floats(hint, like, &[], &[value])
    }

    /// What the model answers under this name.
    pub fn output(&mut self, name: &str, value: &Value, doc: &str) -> Result<(), GraphError> {
        let index = self.index_of("an output", value)?;
        self.take_name(name)?;
        self.outputs.push(Output { value: index, name: name.to_owned(), doc: doc.to_owned() });
        Ok(())
    }

    /// Puts an operator to work.
    pub(super) fn apply(&mut self, op: Op, inputs: &[&Value]) -> Result<Vec<Value>, GraphError> {
        let operator = op.name();
        let mut places = Vec::new();
        for input in inputs {
            places.push(self.index_of(operator, input)?);
        }
        let kinds: Vec<TensorType> = inputs.iter().map(|input| input.kind.clone()).collect();
        let results = op.results(&kinds)?;
        if let Some((shape, integer)) = op.integers() {
            let tensor = Tensor::i64(shape, vec![integer])?;
            places.push(self.constant(&format!("{operator}_axes"), tensor).index);
        }
        Ok(self.push(Work::Op(op), operator, places, results))
    }

    /// Puts trees to work on rows of features: batch × targets comes out, of the elements of the input.
    pub(super) fn apply_ensemble(&mut self, trees: Ensemble, rows: &Value) -> Result<Value, GraphError> {
        let place = self.index_of("TreeEnsemble", rows)?;
        trees.check(rows)?;
        let kind = TensorType::rows(rows.element(), trees.targets);
        let work = Work::Ensemble(Box::new(trees));
        Ok(self.push(work, "TreeEnsemble", vec![place], vec![kind]).remove(0))
    }

    /// The bytes of the file. The same calls in the same order give the same bytes.
    pub fn finish(&self, metadata: &Metadata) -> Result<Vec<u8>, GraphError> {
        if self.outputs.is_empty() {
            return Err(GraphError::NoOutput);
        }
        let ensembles = || {
            self.steps.iter().filter_map(|step| match &step.work {
                Work::Ensemble(trees) => Some(&**trees),
                Work::Op(_) => None,
            })
        };
        let dialect = ensemble::Dialect::for_all(ensembles());
        let mut opset_import = vec![proto::OpsetId { domain: String::new(), version: OPSET }];
        if ensembles().next().is_some() {
            opset_import.push(proto::OpsetId { domain: ML.to_owned(), version: dialect.version() });
        }
        let properties = metadata.properties.iter();
        let model = proto::Model {
            ir_version: IR_VERSION,
            producer_name: "tributary".to_owned(),
            producer_version: metadata.producer_version.clone(),
            doc_string: metadata.doc.clone(),
            graph: Some(self.proto(dialect, &metadata.doc)),
            opset_import,
            metadata_props: properties
                .map(|(key, value)| proto::Entry { key: key.clone(), value: value.clone() })
                .collect(),
        };
        Ok(model.encode_to_vec())
    }

    fn proto(&self, dialect: ensemble::Dialect, doc: &str) -> proto::Graph {
        let names = self.names_in_file();
        let mut nodes: Vec<proto::Node> =
            self.steps.iter().flat_map(|step| step.nodes(&names, self, dialect)).collect();
        for output in &self.outputs {
            let name = &names[output.value];
            if *name != output.name {
                nodes.push(node(&Op::Identity, vec![name.clone()], vec![output.name.clone()]));
            }
        }
        let info = |index: usize, name: &String, doc: &String| proto::ValueInfo {
            name: name.clone(),
            kind: Some(self.values[index].kind.proto()),
            doc_string: doc.clone(),
        };
        proto::Graph {
            node: nodes,
            name: self.name.clone(),
            initializer: self.constants.iter().map(|(index, tensor)| tensor.proto(&names[*index])).collect(),
            doc_string: doc.to_owned(),
            input: self.inputs.iter().map(|(index, doc)| info(*index, &names[*index], doc)).collect(),
            output: self.outputs.iter().map(|it| info(it.value, &it.name, &it.doc)).collect(),
        }
    }

    /// What an operator makes bears the name of the first output that it is; inputs and constants keep theirs.
    fn names_in_file(&self) -> Vec<String> {
        let mut names: Vec<String> = self.values.iter().map(|value| value.name.clone()).collect();
        let mut renamed = BTreeSet::new();
        let made: BTreeSet<usize> = self.steps.iter().flat_map(|step| step.outputs.iter().copied()).collect();
        for output in self.outputs.iter().filter(|output| made.contains(&output.value)) {
            if renamed.insert(output.value) {
                names[output.value].clone_from(&output.name);
            }
        }
        names
    }

    fn push(&mut self, work: Work, name: &str, inputs: Vec<usize>, results: Vec<TensorType>) -> Vec<Value> {
        let mut values = Vec::new();
        for kind in results {
            let name = self.free_name(name);
            values.push(self.new_value(name, kind));
        }
        let outputs = values.iter().map(|value| value.index).collect();
        self.steps.push(Step { work, inputs, outputs });
        values
    }

    fn new_value(&mut self, name: String, kind: TensorType) -> Value {
        let value = Value { index: self.values.len(), name, kind };
        self.values.push(value.clone());
        value
    }

    fn index_of(&self, operator: &'static str, value: &Value) -> Result<usize, GraphError> {
        if self.values.get(value.index) == Some(value) {
            return Ok(value.index);
        }
        Err(GraphError::UnknownInput { operator, value: value.name.clone() })
    }

    fn take_name(&mut self, name: &str) -> Result<(), GraphError> {
        if name.is_empty() {
            return Err(GraphError::NoName);
        }
        if self.names.insert(name.to_owned()) {
            return Ok(());
        }
        Err(GraphError::DuplicateName { name: name.to_owned() })
    }

    /// Names of our own making hold a slash, so that they leave the names without one to the caller.
    fn free_name(&mut self, hint: &str) -> String {
        let count = self.values.len();
        let mut name = format!("{hint}/{count}");
        while !self.names.insert(name.clone()) {
            name.push('+');
        }
        name
    }
}

impl Step {
    fn nodes(&self, names: &[String], graph: &Graph, dialect: ensemble::Dialect) -> Vec<proto::Node> {
        let named =
            |places: &[usize]| places.iter().map(|place| names[*place].clone()).collect::<Vec<String>>();
        match &self.work {
            Work::Op(op) => vec![node(op, named(&self.inputs), named(&self.outputs))],
            Work::Ensemble(trees) => {
                let rows = self.inputs[0];
                trees.nodes(dialect, (&names[rows], graph.values[rows].element()), &names[self.outputs[0]])
            }
        }
    }
}

/// A node of ai.onnx, named as its first output.
pub(super) fn node(op: &Op, input: Vec<String>, output: Vec<String>) -> proto::Node {
    proto::Node {
        name: output.first().cloned().unwrap_or_default(),
        op_type: op.name().to_owned(),
        attribute: op.attributes(),
        domain: String::new(),
        input,
        output,
    }
}
