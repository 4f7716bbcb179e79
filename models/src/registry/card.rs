//! The model card: what a person should know before trusting a version, made from its manifest.

use std::fmt::Write;

use super::{
    gate::{Better, said},
    manifest::{About, Manifest, Port},
};

/// The card as Markdown, after Mitchell et al., «Model Cards for Model Reporting» (2019), as far as a manifest knows it.
pub(super) fn written(manifest: &Manifest) -> String {
    let about = &manifest.about;
    let mut card = String::new();
    let parts = [
        head(manifest),
        training(about),
        quality(about),
        decisions(about),
        ports("Takes", &about.signature.inputs),
        ports("Gives", &about.signature.outputs),
        parity(about),
    ];
    parts.iter().filter(|part| !part.is_empty()).for_each(|part| card = format!("{card}{part}\n"));
    card.trim_end().to_owned() + "\n"
}

fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rule = vec!["---".to_owned(); head.len()];
    let cell = |cell: String| cell.replace('|', "\\|").replace('\n', " ");
    let rows: String = rows.map(|row| line(&row.into_iter().map(cell).collect::<Vec<_>>())).collect();
    format!("{}{}{rows}", line(&head), line(&rule))
}

fn head(manifest: &Manifest) -> String {
    let Manifest { model, version, about, .. } = manifest;
    let mut text = format!("# {model}, version {version}\n\n");
    let rows = [
        ("family", about.family.clone()),
        ("made by", format!("job `{}` at commit `{}`, seed {}", about.job, about.commit, about.seed)),
        ("made at", about.created_at.to_rfc3339()),
        ("features", format!("`{}`, {} of them", about.features.set, about.features.names.len())),
        ("definitions", format!("`{}`", about.features.fingerprint)),
        ("licence", about.licence.clone()),
    ];
    text += &table(&["", ""], rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]));
    text
}

fn training(about: &About) -> String {
    let it = &about.training;
    let mut text = format!(
        "## Training\n\n{} rows from {} to {}; SHA-256 of the data `{}`.\n",
        it.rows,
        it.from.to_rfc3339(),
        it.to.to_rfc3339(),
        it.data
    );
    if let Some(it) = &about.calibration {
        let _ = writeln!(
            text,
            "Calibrated ({}) on {} rows from {} to {}, which it was not trained on.",
            it.method,
            it.rows,
            it.from.to_rfc3339(),
            it.to.to_rfc3339()
        );
    }
    text
}

fn quality(about: &About) -> String {
    if about.metrics.is_empty() {
        return "## Quality\n\nNothing was measured.\n".to_owned();
    }
    let rows = about.metrics.iter().map(|metric| {
        let interval =
            metric.interval.map(|it| format!("{:.4} – {:.4} ({:.0} %)", it.low, it.high, it.level * 100.0));
        let gate = about.gates.iter().find(|gate| gate.metric == metric.name).map(|gate| {
            let way = if gate.better == Better::Higher { "higher" } else { "lower" };
            format!("{way} is better; may lose {} against the champion", gate.tolerance)
        });
        vec![
            metric.name.clone(),
            format!("{:.4}", metric.value),
            interval.unwrap_or_default(),
            gate.unwrap_or_default(),
        ]
    });
    format!("## Quality\n\n{}", table(&["metric", "value", "interval", "gate"], rows))
}

fn decisions(about: &About) -> String {
    if about.thresholds.is_empty() {
        return String::new();
    }
    let rows = about.thresholds.iter().map(|it| {
        let reached = it.reached.as_ref().map(|metric| format!("{} {}", metric.name, said(metric)));
        let bound = format!("{} ≥ {}", it.output, it.value);
        vec![it.name.clone(), bound, it.aim.clone(), reached.unwrap_or_default()]
    });
    format!("## Decisions\n\n{}", table(&["decision", "bound", "aim", "reached"], rows))
}

fn ports(title: &str, ports: &[Port]) -> String {
    let rows = ports.iter().map(|port| {
        let shape: Vec<String> =
            port.shape.iter().map(|size| size.map_or("rows".to_owned(), |size| size.to_string())).collect();
        let kind = format!("{} [{}]", port.element, shape.join(", "));
        let columns: Vec<String> = port.columns.iter().map(|column| format!("`{column}`")).collect();
        vec![format!("`{}`", port.name), kind, columns.join(" ")]
    });
    format!("## {title}\n\n{}", table(&["name", "kind", "columns"], rows))
}

fn parity(about: &About) -> String {
    let rows: usize = about
        .parity
        .iter()
        .filter_map(|vector| vector.inputs.values().next())
        .filter_map(|tensor| tensor.shape().first())
        .sum();
    format!(
        "## Check\n\n{rows} rows with what it must say of them are in the manifest; every load runs them.\n"
    )
}
