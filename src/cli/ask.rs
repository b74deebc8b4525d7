//! `logoscope ask`: one question, or a file of them, on the four arms; text for reading, JSON by contract, and one arm's
//! answers as LaMP's evaluation reads them.

mod attribution;
mod lamp;
mod profile;
mod questions;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Map, Value};

use self::attribution::Attributed;
use self::profile::{Standing, Wanted};
use self::questions::{Named, questions};
use super::store::tell;
use super::{CliError, Common, model, profiles_folder};
use crate::data::interaction::Timestamp;
use crate::data::sanitize::visible;
use crate::engine::answer::{self, ArmAnswer, memory_length};
use crate::engine::engine::{Caps, Engine};
use crate::engine::prompt::{Arm, Blocks, Question};
use crate::engine::reconcile::{self, Written};
use crate::engine::recorded::prompt_hash;
use crate::mediator::conflict::{Conflict, Side};
use crate::mediator::counterfactual::{Removed, Without, counterfactuals};
use crate::mediator::flip::{Flip, flips};
use crate::mediator::ledger::ledger;
use crate::mediator::policy::Disagreement;
use crate::mediator::signature::{Signature, too_local};
use crate::mediator::style::{self, Length};
use crate::mediator::words;
use crate::mediator::{Evidence, Facet, Policy, Resolution, Weight, Weights, mediate};
use crate::memory::explain::Node;
use crate::memory::fusion::{EntryTerms, LocalTerms};
use crate::memory::local::LocalHit;
use crate::memory::portrait::Portrait;
use crate::memory::{Memory, MemoryRead};
use crate::session::event;

/// Version of the JSON object that `ask` prints.
const SCHEMA: &str = "logoscope.ask/1";
/// Items left out that are told of.
const ITEMS: usize = 10;

/// Options of `ask`.
#[derive(Debug, Args)]
pub struct AskArgs {
    /// Who asks
    #[arg(long, value_name = "U", required_unless_present = "queries")]
    user: Option<String>,
    /// Accept a user without history
    #[arg(long)]
    new_user: bool,
    /// What is asked
    #[arg(long, value_name = "Q", required_unless_present = "queries")]
    query: Option<String>,
    /// Ask every line {"user", "query", "at"?} of this file; one result a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "query"])]
    queries: Option<PathBuf>,
    /// When: whole seconds or RFC 3339; memory is read strictly before [default: just after the last interaction]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    at: Option<String>,
    /// Arms to ask the model on [default: none,local,global,mediated; of --format lamp: mediated]
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    arms: Vec<Arm>,
    /// The mediator's rule [default: product for labels, shrinkage for ratings]
    #[arg(long)]
    policy: Option<Policy>,
    /// Set a weight, `prior-strength=4`; may be repeated
    #[arg(long = "weight", value_name = "NAME=VALUE", value_parser = parse_weight)]
    weights: Vec<(Weight, f64)>,
    /// The person's prose profile in the prompts: off, on (the kept one, else the model writes it), or its text
    #[arg(long, value_name = "off|on|TEXT", default_value = "off")]
    profile: Wanted,
    /// Show how every score adds up, the rules of conflicts, the decision without each memory, and what is characteristic
    /// of the person
    #[arg(long)]
    explain: bool,
    /// Show what each memory, and each line of it, adds to the answer of an arm: the model is asked without them
    #[arg(long, value_name = "ARM", num_args = 0..=1, require_equals = true, default_missing_value = "mediated")]
    attribution: Option<Arm>,
    /// How to print
    #[arg(long, default_value = "text")]
    format: Form,
}

/// How answers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For reading
    Text,
    /// One object a question
    Json,
    /// One object for all of --queries, as LaMP's evaluation reads predictions: the answers of one arm by id
    Lamp,
}

pub(super) fn parse_weight(text: &str) -> Result<(Weight, f64), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("'{text}' is not NAME=VALUE"))?;
    let weight: Weight = name.trim().parse()?;
    let number: f64 = value.trim().parse().map_err(|_| format!("'{value}' is no number"))?;
    Ok((weight, weight.checked(number).map_err(|error| error.to_string())?))
}

/// Runs the command.
pub fn run(common: &Common, args: &AskArgs) -> Result<ExitCode, CliError> {
    let memory = common.memory()?;
    let questions = questions(args, &memory)?;
    let (place, fit) = common.fitting_model(&memory.manifest)?;
    let engine = model::engine(&common.load_options(), place.as_ref())?;
    let policy = args.policy.unwrap_or(Policy::of(memory.manifest.task));
    reconcile::check(policy, engine.as_deref().map(Engine::caps))?;
    let mut weights = fit.defaults(policy, &memory.manifest);
    for (weight, value) in &args.weights {
        weights = weights.with(*weight, *value);
    }
    if args.format == Form::Lamp {
        return lamp::run(&memory, engine.as_deref(), (weights, policy), args, &questions);
    }
    let arms = if args.arms.is_empty() { &Arm::ALL[..] } else { &args.arms };
    let attributed = attribution::wanted(args, engine.as_deref(), policy, arms)?;
    let profiles = profiles_folder();
    let setting = Setting { weights, policy, arms, profile: (&args.profile, &profiles) };
    let mut out = std::io::stdout().lock();
    for Named { question, .. } in &questions {
        let asked = ask(&memory, engine.as_deref(), &setting, question)?;
        tell(&memory.notices());
        let explained = if args.explain { Some(Explained::of(&memory, &asked)?) } else { None };
        let attribution = attributed.map(|(arm, engine)| Attributed::of(&memory, &asked, arm, engine)).transpose()?;
        match args.format {
            Form::Json => {
                let mut printed = asked.to_json(&memory);
                if let Some(explained) = &explained {
                    printed["explain"] = serde_json::to_value(explained).map_err(std::io::Error::from)?;
                }
                if let Some(attribution) = &attribution {
                    printed["attribution"] = attribution.to_json();
                }
                serde_json::to_writer(&mut out, &printed).map_err(std::io::Error::from)?;
                writeln!(out)?;
            }
            Form::Text | Form::Lamp => {
                let explained = explained.as_ref().map(Explained::to_text).unwrap_or_default();
                let attribution = attribution.as_ref().map(Attributed::to_text).unwrap_or_default();
                write!(out, "{}{explained}{attribution}", asked.to_text(&memory, args.explain))?;
            }
        }
        out.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// How questions are asked.
struct Setting<'a> {
    weights: Weights,
    policy: Policy,
    arms: &'a [Arm],
    /// Which profile stands in prompts, and where profiles are kept.
    profile: (&'a Wanted, &'a Path),
}

/// A question with everything that was found out about it.
struct Asked<'a> {
    question: &'a Question,
    read: MemoryRead,
    weights: Weights,
    policy: Policy,
    resolution: Resolution,
    ledger: Vec<Conflict>,
    without: Vec<Without>,
    signature: Option<Signature>,
    flips: Vec<Flip>,
    arms: BTreeMap<Arm, ArmAnswer>,
    /// The model that was asked.
    model: Option<Caps>,
    /// The memory that the model wrote for the mediated arm, under a policy that has it written.
    written: Option<(Written, Disagreement)>,
    /// The person's profile that stood in prompts.
    profile: Option<Standing>,
}

fn ask<'a>(
    memory: &Memory,
    engine: Option<&dyn Engine>,
    setting: &Setting,
    question: &'a Question,
) -> Result<Asked<'a>, CliError> {
    let read = memory.read(&question.user, &question.query, question.at)?;
    let manifest = &memory.manifest;
    let evidence = Evidence::of(&read, manifest.retrieval.guard, manifest.calibration.local);
    let resolution = mediate(&evidence, &setting.weights, setting.policy);
    let ledger = ledger(&evidence, &setting.weights, &resolution);
    let voices = read.global.parts.voices(&read.global.base, &manifest.calibration);
    let without = counterfactuals(&evidence, &setting.weights, setting.policy, &voices);
    let signature = too_local(&resolution, &without);
    let flips = flips(&evidence, &setting.weights, setting.policy);
    let (mut arms, mut written) = (BTreeMap::new(), None);
    let (weights, policy) = (setting.weights, setting.policy);
    let (wanted, folder) = setting.profile;
    let profile = wanted.standing(memory, engine, question, folder)?;
    let prose = profile.as_ref().map(|standing| standing.profile.text());
    let blocks = Blocks::of(memory, &question.query, &read).with_profile(prose);
    for &arm in setting.arms {
        let answered = match engine {
            Some(engine) if arm == Arm::Mediated && policy.writes() => {
                let wrote = reconcile::write(engine, &blocks, &weights)?;
                let request = answer::request_written(&blocks, &memory.population.labels, &wrote.text);
                let answered = answer::by_model_asked(engine, request, &resolution, arm, &weights)?;
                let said = answered.log_probabilities.as_deref();
                written = said.map(|said| (wrote, Disagreement::of(&resolution, said)));
                answered
            }
            Some(engine) => {
                let request = answer::request(&blocks, memory.scored_labels(), arm, &weights);
                answer::by_model_asked(engine, request, &resolution, arm, &weights)?
            }
            None => answer::by_memory(&resolution, arm),
        };
        arms.insert(arm, answered);
    }
    let model = engine.map(|engine| engine.caps().clone());
    Ok(Asked {
        question,
        read,
        weights,
        policy,
        resolution,
        ledger,
        without,
        signature,
        flips,
        arms,
        model,
        written,
        profile,
    })
}

/// How the scores of the shown hits add up.
#[derive(Serialize)]
struct Explained {
    local: Vec<Node>,
    global: Vec<Node>,
    portrait: Portrait,
}

impl Explained {
    fn of(memory: &Memory, asked: &Asked) -> Result<Self, CliError> {
        let Question { user, query, at } = asked.question;
        let id = |hit: &LocalHit| &memory.population.id[hit.item];
        let local = asked.read.local.shown().iter().filter_map(|hit| memory.explain_item(user, query, *at, id(hit)));
        let hits = asked.read.global.hits.iter();
        let global = hits.filter_map(|hit| memory.explain_entry(user, query, *at, &hit.id).transpose());
        Ok(Self {
            local: local.collect(),
            global: global.collect::<Result<_, _>>()?,
            portrait: memory.portrait(user, *at),
        })
    }

    /// Indented trees.
    fn to_text(&self) -> String {
        use std::fmt::Write as _;
        let mut out = String::from("how scores add up:\n");
        for (depth, value, node) in self.local.iter().chain(&self.global).flat_map(Node::rounded) {
            let indent = 2 * depth;
            let _ = writeln!(out, "  {:indent$}{value:+.3} {}  {}", "", visible(&node.name), visible(&node.note));
        }
        let words: Vec<String> = self.portrait.words.iter().map(|word| visible(&word.word).into_owned()).collect();
        let words = if words.is_empty() { "none".to_owned() } else { words.join(", ") };
        let _ = writeln!(out, "characteristic words: {words}");
        if let Some(style) = &self.portrait.style {
            let (words, questions, numbers) = (style.words, style.questions, style.numbers);
            let _ = writeln!(out, "style: {words:.1} words a text, questions {questions:.2}, numbers {numbers:.2}");
        }
        out.push('\n');
        out
    }
}

#[derive(Serialize)]
struct LocalHitJson<'a> {
    id: &'a str,
    at: Timestamp,
    text: &'a str,
    response: &'a str,
    /// Of texts: what the response votes for.
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<&'a str>,
    score: f64,
    terms: LocalTerms,
    /// m_G of the same thing, of ratings.
    #[serde(skip_serializing_if = "Option::is_none")]
    crowd: Option<f64>,
    /// By how much the person departed from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    residual: Option<f64>,
}

#[derive(Serialize)]
struct GlobalHitJson<'a> {
    id: &'a str,
    response_distribution: Value,
    users: usize,
    score: f64,
    terms: EntryTerms,
    top_terms: &'a [String],
    last_seen: Timestamp,
}

/// `{label: probability}` in label order.
fn distribution(labels: &[String], p: &[f64]) -> Value {
    Value::Object(labels.iter().cloned().zip(p.iter().map(|p| Value::from(*p))).collect::<Map<_, _>>())
}

/// Lengths in words, as a text task tells them.
fn length_object(length: &Length) -> Value {
    let words = |length: Option<f64>| length.map(f64::exp);
    let conflict = length.conflict.map(|apart| {
        serde_json::json!({
            "local": apart.own.exp(), "global": apart.others.exp(), "standard_errors": apart.errors,
        })
    });
    serde_json::json!({
        "base": words(length.base), "local": words(length.local), "global": words(length.global),
        "mediated": words(length.mediated), "log_spread": length.spread, "conflict": conflict,
    })
}

/// Adds what a rating task says of `p`, its median being `decision`.
fn add_score(object: &mut Value, facet: &Facet, p: &[f64], decision: usize) {
    if let (Facet::Score(steps), Some(mean)) = (facet, facet.mean(p)) {
        object["mean"] = mean.into();
        object["median"] = steps[decision].into();
    }
}

impl Asked<'_> {
    /// Communities and sides left out, and the items that count most.
    fn told(&self) -> impl Iterator<Item = &Without> {
        let mut items = 0;
        self.without.iter().filter(move |without| {
            let item = matches!(without.removed, Removed::Item(_));
            items += usize::from(item);
            !item || items <= ITEMS
        })
    }

    fn residual(&self, hit: &LocalHit) -> Option<f64> {
        hit.residual(&self.read.scored.as_ref()?.steps)
    }

    /// The object of the command-line contract.
    fn to_json(&self, memory: &Memory) -> Value {
        let labels = &memory.population.labels;
        let label = |ix: usize| labels[ix].as_str();
        let local_hits: Vec<LocalHitJson> = self
            .read
            .local
            .shown()
            .iter()
            .map(|hit| LocalHitJson {
                id: &memory.population.id[hit.item],
                at: memory.population.at[hit.item],
                text: &memory.population.text[hit.item],
                response: memory.response(hit.item),
                form: self.read.written.as_ref().map(|_| label(hit.label)),
                score: hit.terms.score(),
                terms: hit.terms,
                crowd: hit.crowd,
                residual: self.residual(hit),
            })
            .collect();
        let global = &self.read.global;
        let global_hits: Vec<GlobalHitJson> = global
            .hits
            .iter()
            .map(|hit| GlobalHitJson {
                id: &hit.id,
                response_distribution: distribution(labels, &hit.distribution),
                users: hit.users,
                score: hit.terms.score(),
                terms: hit.terms,
                top_terms: &hit.top_terms,
                last_seen: hit.last_seen,
            })
            .collect();
        let r = &self.resolution;
        let conflicts: Vec<Value> = self
            .ledger
            .iter()
            .map(|conflict| {
                let mut value = serde_json::json!(event::Conflict::of(labels, &r.facet, conflict));
                value["rule"] = conflict.rule().into();
                value
            })
            .collect();
        let without: Vec<Value> = self
            .told()
            .map(|without| {
                let removed = match without.removed {
                    Removed::Item(place) => {
                        let item = self.read.local.hits.get(place).map(|hit| &memory.population.id[hit.item]);
                        serde_json::json!({"kind": "item", "id": item})
                    }
                    Removed::Community(community) => serde_json::json!({"kind": "community", "community": community}),
                    Removed::Side(side) => serde_json::json!({"kind": "side", "side": side}),
                };
                serde_json::json!({
                    "without": removed, "decision": label(without.decision), "margin": without.margin,
                    "nats": without.nats, "changes": without.changes,
                })
            })
            .collect();
        let signatures: Vec<&str> = self.signature.iter().map(|signature| signature.name()).collect();
        let flips: Vec<Value> = self
            .flips
            .iter()
            .map(|flip| {
                // JSON has no infinity: an endless half-life is the string "inf", as in files of weights.
                let number = |x: f64| if x.is_finite() { Value::from(x) } else { Value::from("inf") };
                serde_json::json!({
                    "weight": flip.weight, "now": number(flip.now), "at": number(flip.at), "becomes": label(flip.becomes)
                })
            })
            .collect();
        let arms: Map<String, Value> = self
            .arms
            .iter()
            .map(|(arm, a)| {
                let mut value = serde_json::json!({
                    "answer": label(a.decision), "distribution": distribution(labels, &a.distribution), "text": a.text,
                    "tokens": a.tokens, "ms": a.milliseconds, "ttft_ms": a.first_token_milliseconds,
                });
                add_score(&mut value, &r.facet, &a.distribution, a.decision);
                if let Some(length) = memory_length(r, *arm) {
                    value["length"] = length.exp().into();
                }
                (arm.name().to_owned(), value)
            })
            .collect();
        let mut object = serde_json::json!({
            "schema": SCHEMA,
            "dataset": memory.manifest.name,
            "user": self.question.user,
            "at": self.question.at,
            "query": self.question.query,
            "weights": self.weights,
            "policy": self.policy,
            "local": {
                "visible": self.read.local.visible(),
                "hits": local_hits,
                "profile": distribution(labels, &self.read.local.profile.distribution()),
            },
            "global": {
                "community": global.leading().map(|(community, _)| community),
                "members": global.leading().map(|(community, _)| global.members[community]),
                "period": global.period.map(|period| period.number),
                "suppressed": global.suppressed,
                "hits": global_hits,
            },
            "mediation": {
                "distribution": distribution(labels, &r.distribution),
                "decision": label(r.decision),
                "margin": r.margin,
                "conflicts": conflicts,
                "counterfactuals": without,
                "signatures": signatures,
                "flips": flips,
            },
            "arms": arms,
        });
        add_score(&mut object["mediation"], &r.facet, &r.distribution, r.decision);
        if let (Some(style), Some(written)) = (&r.style, &self.read.written) {
            object["local"]["terms"] = serde_json::json!(written.own_terms);
            object["global"]["terms"] = serde_json::json!(written.terms);
            object["mediation"]["length"] = length_object(&style.length);
            let terms = style.words(&written.own_terms, &written.terms);
            let terms = terms.map(|(side, word)| serde_json::json!({"word": word, "of": side}));
            object["mediation"]["terms"] = Value::Array(terms.collect());
        }
        if let Some(standing) = &self.profile {
            let Standing { profile, of, cached } = standing;
            object["local"]["prose"] = serde_json::json!({
                "text": profile.text(), "from": profile.from, "of": of, "edited": profile.edited.is_some(),
                "cached": cached, "tokens": profile.tokens,
            });
        }
        if let Some((written, disagreement)) = &self.written {
            object["mediation"]["rule"] = r.policy.to_string().into();
            object["mediation"]["written"] = serde_json::json!({
                "text": written.text, "prompt": prompt_hash(&written.prompt), "tokens": written.stats.tokens,
                "ms": written.stats.elapsed.as_secs_f64() * 1e3, "disagreement": disagreement,
            });
        }
        if let Some(caps) = &self.model {
            object["model"] = serde_json::json!({"name": caps.name, "device": caps.device, "scores": caps.score});
        }
        if let Some(scored) = &self.read.scored {
            object["global"]["crowd"] = serde_json::json!({"mean": scored.crowd, "raters": global.support});
        }
        object
    }

    /// How long a text is to be, and its words.
    fn write_style(&self, out: &mut String) {
        use std::fmt::Write as _;
        let (Some(style), Some(written)) = (&self.resolution.style, &self.read.written) else { return };
        let told = |length: Option<f64>| length.map_or("unknown".to_owned(), style::told);
        let Length { local, global, mediated, conflict, .. } = style.length;
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  length   {}   local {}, global {}", told(mediated), told(local), told(global));
        if let Some(apart) = conflict {
            let (own, others) = (style::told(apart.own), style::told(apart.others));
            let _ = writeln!(
                out,
                "  conflict length: local {own}, global {others}, {:.1} standard errors apart",
                apart.errors
            );
        }
        let terms: Vec<String> = style
            .words(&written.own_terms, &written.terms)
            .map(|(side, word)| {
                let whose = if side == Side::Local { "own" } else { "others" };
                format!("{} ({whose})", visible(word))
            })
            .collect();
        let _ = writeln!(out, "  words    {}", if terms.is_empty() { "none".to_owned() } else { terms.join(", ") });
    }

    /// For reading, in plain lines.
    fn to_text(&self, memory: &Memory, explain: bool) -> String {
        use std::fmt::Write as _;
        let labels: Vec<String> = memory.population.labels.iter().map(|label| visible(label).into_owned()).collect();
        let top = |p: &[f64]| {
            let mut ranked: Vec<(usize, f64)> = p.iter().copied().enumerate().collect();
            ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            let named = ranked.iter().take(3).filter(|(_, p)| *p >= 0.005);
            named.map(|(y, p)| format!("{} {p:.2}", labels[*y])).collect::<Vec<_>>().join(", ")
        };
        let facet = &self.resolution.facet;
        let told = |p: &[f64]| match facet.mean(p) {
            Some(mean) => format!("mean {mean:.1} · median {} ({})", labels[self.resolution.decide(p)], top(p)),
            None => top(p),
        };
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{} · {} · {}",
            visible(self.question.user.as_str()),
            self.question.at,
            visible(&self.question.query)
        );
        let _ = writeln!(out, "\nlocal memory: {} visible items", self.read.local.visible());
        for hit in self.read.local.shown() {
            let t = hit.terms;
            let parts = match &self.read.scored {
                Some(_) if t.attributes > 0.0 || t.similarity() == 0.0 => format!("attributes {:.2}", t.attributes),
                _ => format!("lexical {:.2} + dense {:.2}", t.lexical, t.dense),
            };
            let departed = match (hit.crowd, self.residual(hit)) {
                (Some(crowd), Some(residual)) => format!(", crowd {crowd:.1}, residual {residual:+.1}"),
                _ => String::new(),
            };
            let _ = writeln!(
                out,
                "  {:.2} {:18} {} = {parts} + recency {:.2}{departed}, {:.0} d: {}",
                t.score(),
                labels[hit.label],
                visible(&memory.population.id[hit.item]),
                t.recency,
                hit.age_days,
                visible(&memory.population.text[hit.item])
            );
            if self.read.written.is_some() {
                let _ = writeln!(out, "       wrote: {}", visible(memory.response(hit.item)));
            }
        }
        if let Some(standing) = &self.profile {
            let _ = writeln!(out, "  profile, {}: {}", standing.told(), visible(standing.profile.text()));
        }
        let global = &self.read.global;
        let whose = match global.leading() {
            Some((community, p)) => format!("community {community} ({} users, {p:.2})", global.members[community]),
            None => "no clear community".to_owned(),
        };
        let period = global.period.map_or("no period closed yet".to_owned(), |p| format!("period {}", p.number));
        match &self.read.scored {
            Some(scored) => {
                let told = match (global.support, global.suppressed) {
                    (0, 0) => "nobody else rated this; what others give to everything is all there is".to_owned(),
                    (0, _) => {
                        "suppressed, too few others rated this; what they give to everything is all there is".to_owned()
                    }
                    (raters, _) => format!("{raters} others rated this"),
                };
                let _ = writeln!(out, "\nglobal memory: {told}; crowd mean {:.1}", scored.crowd);
            }
            None => {
                let _ = writeln!(out, "\nglobal memory: {whose}, {period}, {} entries suppressed", global.suppressed);
            }
        }
        // The crowd's opinion of one thing is told with the global side below.
        for hit in global.hits.iter().filter(|_| self.read.scored.is_none()) {
            let t = hit.terms;
            let _ = writeln!(
                out,
                "  {:.2} {} = lexical {:.2} + dense {:.2} + community {:.2}, {} users: {} ({})",
                t.score(),
                hit.id,
                t.lexical,
                t.dense,
                t.community,
                hit.users,
                top(&hit.distribution),
                visible(&hit.top_terms.join(", "))
            );
        }
        let r = &self.resolution;
        let _ = writeln!(out, "\nmediator: policy {}, {}", self.policy, self.policy.rule().formula());
        if r.policy != self.policy {
            let _ = writeln!(out, "  the rules decide by {}, {}", r.policy, r.policy.rule().formula());
        }
        let _ = writeln!(out, "  local    {}   (worth {:.1} examples)", told(&r.local), r.mass);
        let _ = writeln!(out, "  global   {}   ({} contributors)", told(&r.global), r.support);
        let _ = writeln!(out, "  mediated {}   margin {:.2}", told(&r.distribution), r.margin);
        self.write_style(&mut out);
        let item = |place: usize| {
            let hit = self.read.local.hits.get(place);
            hit.map_or(String::new(), |hit| visible(&memory.population.id[hit.item]).into_owned())
        };
        let named = |label: usize| labels[label].clone();
        for conflicts in words::together(&self.ledger) {
            let (told, bits) = (words::headlines(conflicts, &named), conflicts[0].divergence);
            let _ = writeln!(out, "  {told}, divergence {bits:.2}");
            for line in words::all_details(conflicts, &named).iter().filter(|_| explain) {
                let _ = writeln!(out, "    {line}");
            }
        }
        if let Some(signature) = &self.signature {
            let _ = writeln!(out, "  {}", words::signature(*signature, &named, &item));
        }
        for without in self.told().filter(|_| explain) {
            let _ = writeln!(out, "  {}", words::without(without, &named, &item));
        }
        for flip in &self.flips {
            let (weight, at, now) = (flip.weight, flip.at, flip.now);
            let _ = writeln!(out, "  flips to {} at {weight} {at} (now {now})", labels[flip.becomes]);
        }
        if let Some((written, disagreement)) = &self.written {
            let (tokens, ms) = (written.stats.tokens, written.stats.elapsed.as_secs_f64() * 1e3);
            let told = words::disagreement(disagreement);
            let _ = writeln!(out, "\nthe model wrote, in {tokens} tokens and {ms:.0} ms:");
            let _ = writeln!(out, "  {}", visible(&written.text));
            let _ = writeln!(out, "  having read that, {told}");
        }
        let caveat =
            self.model.as_ref().and_then(|caps| caps.score.caveat().filter(|_| !memory.scored_labels().is_empty()));
        let caveat = caveat.map_or(String::new(), |caveat| format!(" (the model gives {caveat})"));
        let _ = writeln!(out, "\nanswers{caveat}:");
        for (arm, a) in &self.arms {
            let sure = match facet.mean(&a.distribution) {
                Some(mean) => format!("mean {mean:.1} · median {}", labels[a.decision]),
                None => format!("{:18} {:.2}", labels[a.decision], a.distribution[a.decision]),
            };
            let _ = writeln!(
                out,
                "  {:9}{sure}   {}",
                arm.name(),
                match a.tokens {
                    0 => match memory_length(&self.resolution, *arm) {
                        Some(length) => format!("memory only, about {}", style::told(length)),
                        None => "memory only".to_owned(),
                    },
                    n => format!("\"{}\", {n} tokens, {:.0} ms", visible(&a.text), a.milliseconds),
                }
            );
        }
        out.push('\n');
        out
    }
}
