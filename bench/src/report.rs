//! Runs a target for both programs in turn and prints what came out.

use crate::{
    Options,
    targets::{Figure, Target},
};
use anyhow::Result;
use std::path::Path;

/// Head of the table.
pub const HEAD: &str =
    "| target | what | figure | ours | Consul | ratio | first |\n|---|---|---|---|---|---|---|";

fn median(mut v: Vec<f64>) -> f64 {
    v.sort_by(f64::total_cmp);
    match v.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => v[n / 2],
        n => (v[n / 2 - 1] + v[n / 2]) / 2.0,
    }
}

fn show(x: f64) -> String {
    match x.abs() {
        _ if x.is_nan() => "–".into(),
        a if a >= 1000.0 => format!("{x:.0}"),
        a if a >= 10.0 => format!("{x:.1}"),
        _ => format!("{x:.3}"),
    }
}

/// Measures one target and prints its lines.
pub fn run(target: &Target, options: &Options) -> Result<()> {
    let mut ours: Vec<Vec<Figure>> = vec![];
    let mut theirs: Vec<Vec<Figure>> = vec![];
    let attempt = |program: &Path, into: &mut Vec<Vec<Figure>>| match (target.run)(program, options) {
        Ok(figures) => into.push(figures),
        Err(e) => eprintln!("{} with {}: {e:#}", target.id, program.display()),
    };
    for _ in 0..options.rounds {
        attempt(&options.ours, &mut ours);
        if let Some(consul) = &options.consul {
            attempt(consul, &mut theirs);
        }
    }
    let Some(first) = ours.first() else {
        println!("| {} | {} | failed | – | – | – | {} |", target.id, target.what, target.first);
        return Ok(());
    };
    for (i, figure) in first.iter().enumerate() {
        let of =
            |runs: &[Vec<Figure>]| median(runs.iter().filter_map(|r| r.get(i).map(|f| f.value)).collect());
        let (a, b) = (of(&ours), of(&theirs));
        // A ratio above one is always better for us.
        let ratio = if figure.more_is_better { a / b } else { b / a };
        println!(
            "| {} | {} | {} | {} | {} | {} | {} |",
            target.id,
            target.what,
            figure.name,
            show(a),
            show(b),
            if ratio.is_nan() { "–".into() } else { format!("{ratio:.1}x") },
            target.first
        );
    }
    Ok(())
}
