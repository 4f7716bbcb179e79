//! Networks against their layers, one sum at a time.

use models::graph::{
    ElementType,
    dense::{Activation, Autoencoder, Dense, Layer, Network},
};
use proptest::prelude::*;

use crate::running::{Given, graph_of, refusal, run, run_on, same};

const WIDTH: usize = 4;

fn activation() -> impl Strategy<Value = Activation> {
    use Activation::{Identity, LeakyRelu, Relu, Sigmoid, Silu, Softmax, Softplus, Tanh};
    prop::sample::select(vec![Identity, Relu, LeakyRelu(0.01), Tanh, Sigmoid, Silu, Softplus, Softmax])
}

fn layer(inputs: usize, outputs: usize) -> impl Strategy<Value = Layer> {
    let weights = prop::collection::vec(-1.5_f64..1.5, inputs * outputs);
    let bias = prop::collection::vec(-1.5_f64..1.5, outputs);
    (weights, bias, activation()).prop_map(|(weights, bias, activation)| Layer { weights, bias, activation })
}

fn network(outputs: usize) -> impl Strategy<Value = Dense> {
    (1_usize..7, 1_usize..7).prop_flat_map(move |(first, second)| {
        let layers = (layer(WIDTH, first), layer(first, second), layer(second, outputs));
        layers.prop_map(|(a, b, c)| Dense { layers: vec![a, b, c] })
    })
}

fn rows() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(prop_oneof![9 => -3.0_f64..3.0, 1 => Just(900.0), 1 => Just(-900.0)], WIDTH * 6)
}

fn forward(network: &Dense, row: &[f64]) -> Vec<f64> {
    network.layers.iter().fold(row.to_vec(), |row, layer| {
        let outputs = layer.bias.len();
        let sum = |to: usize| {
            row.iter().enumerate().map(|(from, x)| x * layer.weights[from * outputs + to]).sum::<f64>()
                + layer.bias[to]
        };
        let sums: Vec<f64> = (0..outputs).map(sum).collect();
        let largest = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let whole: f64 = sums.iter().map(|sum| (sum - largest).exp()).sum();
        let one = |s: &f64| match layer.activation {
            Activation::Identity => *s,
            Activation::Relu => s.max(0.0),
            Activation::LeakyRelu(slope) => {
                if *s < 0.0 {
                    s * slope
                } else {
                    *s
                }
            }
            Activation::Tanh => s.tanh(),
            Activation::Sigmoid => 1.0 / (1.0 + (-s).exp()),
            Activation::Silu => s / (1.0 + (-s).exp()),
            Activation::Softplus => s.max(0.0) + (-s.abs()).exp().ln_1p(),
            Activation::Softmax => (s - largest).exp() / whole,
        };
        sums.iter().map(one).collect()
    })
}

fn forward_all(network: &Dense, rows: &[f64]) -> Vec<f64> {
    rows.chunks(WIDTH).flat_map(|row| forward(network, row)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_network_is_its_layers_in_turn(network in network(3), rows in rows()) {
        let answers = run_on((WIDTH, &rows), |graph, x| Ok(vec![("y", network.add(graph, x)?)]));
        same(&answers["y"], &forward_all(&network, &rows), 1e-10);
    }

    #[test]
    fn in_float_it_is_the_same_to_float(network in network(3), rows in prop::collection::vec(-3.0_f64..3.0, WIDTH * 6)) {
        let rows: Vec<f32> = rows.iter().map(|x| *x as f32).collect();
        let bytes = graph_of((ElementType::F32, WIDTH), |graph, x| Ok(vec![("y", network.add(graph, x)?)]));
        let wide: Vec<f64> = rows.iter().map(|x| f64::from(*x)).collect();
        let answers = run(&bytes, &[("x", Given::F32(WIDTH, rows))]);
        same(&answers["y"], &forward_all(&network, &wide), 1e-4);
    }

    #[test]
    fn heads_share_a_trunk(trunk in network(WIDTH), a in network(1), b in network(2), rows in rows()) {
        let network = Network { trunk: trunk.clone(), heads: vec![a.clone(), b.clone()] };
        let answers = run_on((WIDTH, &rows), |graph, x| {
            let mut heads = network.add(graph, x)?;
            let second = heads.remove(1);
            Ok(vec![("a", heads.remove(0)), ("b", second)])
        });
        let shared = forward_all(&trunk, &rows);
        same(&answers["a"], &forward_all(&a, &shared), 1e-9);
        same(&answers["b"], &forward_all(&b, &shared), 1e-9);
    }

    #[test]
    fn an_autoencoder_says_which_column_it_could_not_repeat(
        network in network(WIDTH), usual in prop::collection::vec(0.1_f64..4.0, WIDTH), rows in rows(),
    ) {
        let repeated = forward_all(&network, &rows);
        for usual in [usual, Vec::new()] {
            let autoencoder = Autoencoder { network: network.clone(), usual_error: usual.clone() };
            let answers = run_on((WIDTH, &rows), |graph, x| {
                let it = autoencoder.add(graph, x)?;
                Ok(vec![("errors", it.errors), ("score", it.score)])
            });
            let error = |(at, (x, y)): (usize, (&f64, &f64))| {
                (x - y) * (x - y) / usual.get(at % WIDTH).copied().unwrap_or(1.0)
            };
            let errors: Vec<f64> = rows.iter().zip(&repeated).enumerate().map(error).collect();
            same(&answers["errors"], &errors, 1e-9);
            let means: Vec<f64> = errors.chunks(WIDTH).map(|row| row.iter().sum::<f64>() / WIDTH as f64).collect();
            same(&answers["score"], &means, 1e-9);
        }
    }
}

#[test]
fn networks_that_do_not_fit_are_refused() {
    let layer = |weights: usize, outputs: usize, activation: Activation| Layer {
        weights: vec![0.5; weights],
        bias: vec![0.0; outputs],
        activation,
    };
    let says = |layers: Vec<Layer>, words: &str| {
        let autoencoder = Autoencoder { network: Dense { layers }, usual_error: Vec::new() };
        let sentence = refusal(WIDTH, |graph, x| autoencoder.add(graph, x));
        assert!(sentence.contains(words), "{sentence}");
    };
    says(vec![layer(11, 3, Activation::Relu)], "layer 0 has 11 weights for 4 inputs × 3 outputs");
    says(vec![layer(12, 3, Activation::Relu)], "there are 3 columns repeated, and there must be 4");
    says(vec![layer(16, 4, Activation::LeakyRelu(2.0))], "a slope is between 0 and 1, not 2");
}
