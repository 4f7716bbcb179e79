//! A world with known truth, by which every model and claim of this product is judged; its generator comes with the event lake.
