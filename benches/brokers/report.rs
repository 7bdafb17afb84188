//! What was measured: medians with ranges, ratios, and whether what is asked holds, as a Markdown table.

use std::collections::BTreeMap;
use std::fmt::Write;

/// The name of the smallest broker, where bounds need one.
const FLOOR: &str = "floor";

/// One number of a row.
#[derive(Debug)]
pub struct Figure {
    pub name: &'static str,
    pub unit: &'static str,
    pub better: Better,
    /// Which of the runs are compared.
    pub compared: Compared,
    pub bounds: &'static [Bound],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    Lower,
    Higher,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    Best,
    Median,
}

/// What is asked of the first broker's figure.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// Its ratio to the figure of the broker of this name, at most (or at least, where higher is better).
    Ratio(&'static str, f64),
    /// Its ratio to the same figure of another of its own rows.
    OwnRatio(&'static str, f64),
    /// The figure itself.
    Value(f64),
    /// The figure is a rate, at least this share of what the machine leaves: its processors divided by the microseconds
    /// that a client of the first broker and the [`FLOOR`] use for one of them, the figures at these places of the row.
    ShareOfMachine { share: f64, client: usize, broker: usize },
}

/// What the runs of one row gave, by the names of the brokers.
#[derive(Debug, Default)]
pub struct Results {
    /// For each figure the values of the runs.
    pub values: BTreeMap<String, Vec<Vec<f64>>>,
    pub failures: BTreeMap<String, String>,
}

impl Results {
    /// What a broker's runs gave for a figure, from the smallest; `None` when none of them was.
    fn sorted(&self, broker: &str, at: usize) -> Option<Vec<f64>> {
        let mut values: Vec<f64> = self.values.get(broker)?.iter().map(|run| run[at]).collect();
        values.sort_by(f64::total_cmp);
        Some(values)
    }
}

impl Figure {
    fn of(&self, results: &Results, broker: &str, at: usize) -> Option<f64> {
        if results.failures.contains_key(broker) {
            return None;
        }
        let values = results.sorted(broker, at)?;
        match (self.compared, self.better) {
            (Compared::Median, _) => Some(values[values.len() / 2]),
            (Compared::Best, Better::Lower) => values.first().copied(),
            (Compared::Best, Better::Higher) => values.last().copied(),
        }
    }

    fn shown(&self, results: &Results, broker: &str, at: usize) -> String {
        if let Some(failure) = results.failures.get(broker) {
            return format!("failed: {failure}");
        }
        let Some(values) = results.sorted(broker, at) else { return "–".into() };
        let (first, median, last) = (values[0], values[values.len() / 2], values[values.len() - 1]);
        match values.len() {
            1 => number(median),
            _ => format!("{} ({}–{})", number(median), number(first), number(last)),
        }
    }
}

/// The lines of one row.
pub fn lines(title: &str, figures: &[Figure], key: &str, all: &BTreeMap<&str, Results>, brokers: &[String]) -> String {
    let mut text = String::new();
    let results = &all[key];
    for (at, figure) in figures.iter().enumerate() {
        let ours = figure.of(results, &brokers[0], at);
        let _ = write!(text, "| {title} | {}, {} |", figure.name, figure.unit);
        for broker in brokers {
            let _ = write!(text, " {} |", figure.shown(results, broker, at));
        }
        for broker in &brokers[1..] {
            let ratio = ours.zip(figure.of(results, broker, at)).map(|(ours, theirs)| ours / theirs);
            let _ = write!(text, " {} |", ratio.map_or("–".into(), number));
        }
        let asked: Vec<String> =
            figure.bounds.iter().map(|bound| figure.judge(bound, at, figures, results, all, &brokers[0])).collect();
        let _ = writeln!(text, " {} |", asked.join(", "));
    }
    text
}

impl Figure {
    fn judge(
        &self,
        bound: &Bound,
        at: usize,
        figures: &[Figure],
        results: &Results,
        all: &BTreeMap<&str, Results>,
        first: &str,
    ) -> String {
        let ours = self.of(results, first, at);
        let (name, reference, bound) = match bound {
            Bound::Ratio(broker, bound) => (format!(" × {broker}"), self.of(results, broker, at), *bound),
            Bound::OwnRatio(row, bound) => {
                (format!(" × {row}"), all.get(row).and_then(|results| self.of(results, first, at)), *bound)
            }
            Bound::Value(bound) => (String::new(), Some(1.0), *bound),
            Bound::ShareOfMachine { share, client, broker } => {
                let client = figures[*client].of(results, first, *client);
                let broker = figures[*broker].of(results, FLOOR, *broker);
                let left = client.zip(broker).map(|(client, broker)| machine_micros_per_second() / (client + broker));
                (format!(" × {}", left.map_or("what the machine leaves".into(), number)), left, *share)
            }
        };
        let sign = if self.better == Better::Lower { "≤" } else { "≥" };
        let holds = ours.zip(reference).map(|(ours, reference)| match self.better {
            Better::Lower => ours <= bound * reference,
            Better::Higher => ours >= bound * reference,
        });
        let verdict = match holds {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "not measured",
        };
        format!("{sign} {}{name}: {verdict}", number(bound))
    }
}

fn machine_micros_per_second() -> f64 {
    std::thread::available_parallelism().map_or(1, usize::from) as f64 * 1e6
}

/// The head of the table.
pub fn head(brokers: &[String]) -> String {
    let ratios = brokers[1..].iter().map(|broker| format!("{} ÷ {broker}", brokers[0]));
    let columns: Vec<String> = brokers.iter().cloned().chain(ratios).collect();
    format!("| what | figure | {} | asked |\n|---|---|{}---|\n", columns.join(" | "), "---|".repeat(columns.len()))
}

/// With three digits that count.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}
