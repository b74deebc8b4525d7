//! `ask --attribution`: what each memory, and each line of it, adds to an arm's answer; text and JSON.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::{AskArgs, Asked};
use crate::cli::CliError;
use crate::cli::output::shown;
use crate::data::sanitize::visible;
use crate::engine::answer::memory_distribution;
use crate::engine::attribution::{Attribution, Deciding, LineEffect, Plan, Target, Turn};
use crate::engine::engine::Engine;
use crate::engine::prompt::{Arm, Blocks, Left};
use crate::mediator::Policy;
use crate::mediator::counterfactual::Removed;
use crate::memory::Memory;
use crate::memory::why_not::Side;

/// What is left out, with its name.
const WITHOUT: [(Left, &str); 3] =
    [(Left::Memory(Side::Local), "local"), (Left::Memory(Side::Global), "global"), (Left::Both, "both")];

/// The arm to be attributed, and the model to ask; `None` where that is not wanted.
pub(super) fn wanted<'a>(
    args: &AskArgs,
    engine: Option<&'a dyn Engine>,
    policy: Policy,
    arms: &[Arm],
) -> Result<Option<(Arm, &'a dyn Engine)>, CliError> {
    let Some(arm) = args.attribution else { return Ok(None) };
    let usage = |told: String| Err(CliError::Usage(format!("--attribution: {told}")));
    let Some(engine) = engine else {
        return usage("only a model's answer can be traced to its prompt; give --model a model that fits".to_owned());
    };
    if !arms.contains(&arm) {
        return usage(format!("arm {} is not asked; add it to --arms", arm.name()));
    }
    if arm == Arm::Mediated && policy.writes() {
        return usage(format!(
            "under policy {policy} the mediated arm reads one memory that the model wrote, and no lines; use \
             --attribution=local"
        ));
    }
    Ok(Some((arm, engine)))
}

/// An attribution with what it is of.
pub(super) struct Attributed<'a> {
    memory: &'a Memory,
    asked: &'a Asked<'a>,
    attribution: Attribution,
    lines: Vec<LineEffect>,
}

impl<'a> Attributed<'a> {
    /// Asks the model for the attribution of the answer of `arm`.
    pub(super) fn of(
        memory: &'a Memory,
        asked: &'a Asked<'a>,
        arm: Arm,
        engine: &dyn Engine,
    ) -> Result<Self, CliError> {
        let prose = asked.profile.as_ref().map(|standing| standing.profile.text());
        let blocks = Blocks::of(memory, &asked.question.query, &asked.read).with_profile(prose);
        let labels = memory.scored_labels();
        let answer = asked.arms.get(&arm);
        let (decision, text) = answer.map_or((0, ""), |answer| (answer.decision, answer.text.as_str()));
        let plan = Plan::of(&blocks.laid(arm, &asked.weights), arm, labels, Target::of(labels, decision, text));
        let attribution = Attribution::run(plan, engine)?;
        let resolution = &asked.resolution;
        let model_trust = asked.weights.model_trust;
        let lines =
            attribution.lines(Deciding { resolution, memory: memory_distribution(resolution, arm), model_trust });
        Ok(Self { memory, asked, attribution, lines })
    }

    fn id(&self, line: &LineEffect) -> &str {
        let read = &self.asked.read;
        match line.side {
            Side::Local => read.local.hits.get(line.place).map_or("", |hit| &self.memory.population.id[hit.item]),
            Side::Global => read.global.hits.get(line.place).map_or("", |hit| &hit.id),
        }
    }

    /// What a line adds to the rules' own decision, and whether that is another one without it.
    fn rules(&self, line: &LineEffect) -> Option<(f64, bool)> {
        let removed = Removed::Item(line.place);
        let mine = line.side == Side::Local && self.attribution.plan.arm == Arm::Mediated;
        let found = self.asked.without.iter().find(|without| mine && without.removed == removed);
        found.map(|without| (-without.nats, without.changes))
    }

    fn label(&self, decision: usize) -> &str {
        self.memory.population.labels.get(decision).map_or("", String::as_str)
    }

    /// The object beside the answers.
    pub(super) fn to_json(&self) -> Value {
        let Some(answer) = self.attribution.answer() else { return Value::Null };
        let deltas: Vec<_> = WITHOUT.map(|(left, name)| (name, self.attribution.deltas(left))).into();
        let tokens = answer.tokens.iter().enumerate().map(|(place, token)| {
            let mut object = json!({"id": token.id, "text": token.text, "ln_p": token.ln_p});
            object["delta"] =
                by_name(deltas.iter().filter_map(|(name, all)| Some((*name, *all.as_ref()?.get(place)?))));
            object
        });
        let turn = |turn: Option<Turn>| {
            turn.map(|turn| json!({"decision": self.label(turn.decision), "changes": turn.changes}))
        };
        let lines: Vec<Value> = self
            .lines
            .iter()
            .map(|line| {
                let rules = self.rules(line).map(|(delta, changes)| json!({"delta": delta, "changes": changes}));
                json!({
                    "side": line.side, "id": self.id(line), "line": line.text, "delta": line.delta,
                    "model": turn(line.model), "answer": turn(line.answer), "rules": rules,
                })
            })
            .collect();
        let total = WITHOUT.into_iter().filter_map(|(left, name)| Some((name, self.attribution.delta(left)?)));
        let (kind, text) = match &self.attribution.plan.target {
            Target::Label(label) => ("label", label),
            Target::Written(text) => ("text", text),
        };
        let mut object = json!({
            "arm": self.attribution.plan.arm.name(), "of": kind, "answer": text, "prompts": self.attribution.done(),
            "ln_p": answer.ln_p(), "delta": by_name(total), "tokens": tokens.collect::<Vec<Value>>(), "lines": lines,
        });
        if let Some(shares) = self.attribution.shares(Left::Nothing) {
            let without: Vec<_> = WITHOUT.map(|(left, name)| (name, self.attribution.shares(left))).into();
            let label = |(y, share): (usize, &f64)| {
                let mut object = json!({"p": share});
                let others = without.iter().filter_map(|(name, all)| Some((*name, *all.as_ref()?.get(y)?)));
                object["without"] = by_name(others);
                (self.label(y).to_owned(), object)
            };
            object["labels"] = Value::Object(shares.iter().enumerate().map(label).collect());
        }
        object
    }

    /// For reading.
    pub(super) fn to_text(&self) -> String {
        let mut out = String::new();
        let (attribution, arm) = (&self.attribution, self.attribution.plan.arm.name());
        // Writing to a String cannot fail.
        let _ = writeln!(out, "attribution of {arm}, in nats: ln p of the answer, minus ln p without it");
        let Some(answer) = attribution.answer().filter(|answer| !answer.tokens.is_empty()) else {
            out.push_str("  the model wrote nothing, so there is nothing to attribute\n\n");
            return out;
        };
        let _ = writeln!(out, "  {:>8} {:>8} {:>8}    p   token", "local", "global", "both");
        let row = |cells: [Option<f64>; 3], p: f64, name: &str| {
            let [local, global, both] = cells.map(nats);
            format!("  {local:>8} {global:>8} {both:>8}  {p:.2}  {name}\n")
        };
        let deltas = WITHOUT.map(|(left, _)| attribution.deltas(left).unwrap_or_default());
        for (place, token) in answer.tokens.iter().enumerate() {
            let cells = deltas.each_ref().map(|all| all.get(place).copied());
            out += &row(cells, token.ln_p.exp(), &format!("\"{}\"", visible(&token.text)));
        }
        if answer.tokens.len() > 1 {
            out += &row(WITHOUT.map(|(left, _)| attribution.delta(left)), answer.ln_p().exp(), "the whole answer");
        }
        if !self.lines.is_empty() {
            let _ = writeln!(out, "  without one line:\n  {:>8} {:>8}", "adds", "rules");
        }
        for line in &self.lines {
            let (delta, rules) = (nats(Some(line.delta)), nats(self.rules(line).map(|(delta, _)| delta)));
            let turned = |turn: Option<Turn>| turn.filter(|turn| turn.changes);
            let turns = match (turned(line.answer), turned(line.model)) {
                (Some(turn), _) => format!(" -> {}", visible(self.label(turn.decision))),
                (None, Some(turn)) => format!(" model -> {}", visible(self.label(turn.decision))),
                (None, None) => String::new(),
            };
            let text = shown(line.text.trim_start_matches("- "));
            let _ = writeln!(out, "  {delta:>8} {rules:>8}  {}{turns}: {text}", visible(self.id(line)));
        }
        out.push('\n');
        out
    }
}

/// `{name: number}`.
fn by_name<'a>(numbers: impl Iterator<Item = (&'a str, f64)>) -> Value {
    Value::Object(numbers.map(|(name, number)| (name.to_owned(), Value::from(number))).collect::<Map<_, _>>())
}

/// `+1.20`; a dash where there is no number.
fn nats(delta: Option<f64>) -> String {
    match delta {
        None => "-".to_owned(),
        Some(delta) if delta.abs() < 0.005 => "0.00".to_owned(),
        Some(delta) => format!("{delta:+.2}"),
    }
}
