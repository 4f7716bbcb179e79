-- What decisions are held against, and what is crossed now: each change is announced once.

CREATE TABLE decision_bounds (
    -- The model of the registry that the decisions are about, such as "fraud".
    model      text NOT NULL,
    -- Which bound: serve::scoring::health.
    bound      text NOT NULL,
    is_crossed boolean NOT NULL,
    -- The numbers, in a sentence.
    words      text NOT NULL,
    -- Since when it is as it is.
    since      timestamptz NOT NULL,
    looked_at  timestamptz NOT NULL,
    PRIMARY KEY (model, bound)
);
