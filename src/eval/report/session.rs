//! A session as one page that stands alone: what was asked, what both memories said, what the mediator made of it, and
//! charts that a reader may step along.
//!
//! Invariants: the page loads nothing, and a policy in its head keeps it from doing so; whatever comes from the session is
//! escaped and made visible; without scripts, and on paper, every turn is there.

use std::fmt::Write as _;

use super::html::escaped;
use crate::engine::prompt::Arm;
use crate::eval::counted;
use crate::eval::numbers::Share;
use crate::eval::pulse::{Beat, Measure, Moment, Pulse};
use crate::eval::stats::Interval;
use crate::mediator::Weight;
use crate::mediator::conflict::ConflictKind;
use crate::mediator::words::coverage;
use crate::session::event::{ByLabel, Event, Setting};
use crate::session::replay::{Outcome, Tally, Turn};
use crate::session::{Replay, Session};

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1d2328;--faint:#5c6670;--line:#d5dade;--paper:#fdfdfc;--none:#6b7280;\
--local:#1d5fae;--global:#b4530a;--mediated:#6d28a8;--good:#1a7f37;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e4e7ea;--faint:#9aa4ad;--line:#3a4249;--paper:#15191c;--none:#9aa4ad;\
--local:#6cb0f5;--global:#f0a35e;--mediated:#c792ea;--good:#6fcf85;--bad:#ff8f86}}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:72rem;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.5rem;line-height:1.3;margin:0 0 .3rem}h2{font-size:1.1rem;margin:2.2rem 0 .6rem}
h3{font-size:1rem;margin:0 0 .4rem}h4{font-size:.9rem;margin:.8rem 0 .2rem}
p{margin:.3rem 0}.faint{color:var(--faint)}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.15rem .8rem .15rem 0;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;color:var(--faint)}td.n,th.n{text-align:right}
.none{color:var(--none)}.local{color:var(--local)}.global{color:var(--global)}.mediated{color:var(--mediated)}
.good{color:var(--good)}.bad{color:var(--bad)}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(20rem,1fr));gap:.4rem 1.6rem}
.turn{border-top:1px solid var(--line);padding:1rem 0}
.sides{display:grid;grid-template-columns:repeat(auto-fit,minmax(18rem,1fr));gap:0 1.6rem}
ul{margin:.2rem 0;padding-left:1.1rem}li{margin:.1rem 0;overflow-wrap:anywhere}
svg{display:block;width:100%}svg text{fill:var(--faint);font:11px system-ui,sans-serif}
polyline{fill:none;stroke:currentColor;stroke-width:1.6}polyline.none{stroke-dasharray:1 3}
polyline.global{stroke-dasharray:6 3}polyline.mediated{stroke-width:2.4}
.axis{stroke:var(--line)}.head{stroke:var(--ink);stroke-dasharray:2 2;display:none}.stepping .head{display:inline}
.share{fill:currentColor;opacity:.35}
nav{position:sticky;top:0;background:var(--paper);padding:.5rem 0;display:flex;gap:.6rem;align-items:center;\
border-bottom:1px solid var(--line)}
nav[hidden],.stepping .turn[hidden]{display:none}
nav input{flex:1;max-width:30rem}button{font:inherit;padding:.1rem .7rem}
@media print{body{background:#fff;color:#000;font-size:11px}main{max-width:none;padding:0}nav{display:none}\
.stepping .turn[hidden]{display:block}.turn{break-inside:avoid}.wide{overflow:visible}}";

/// Steps through the turns. Holds no character that a page would have to escape.
const SCRIPT: &str = "\
(function(){'use strict';
var root=document.documentElement,turns=Array.from(document.querySelectorAll('.turn'));
var bar=document.getElementById('steps'),told=document.getElementById('told');
var slider=document.getElementById('slider'),heads=Array.from(document.querySelectorAll('.head'));
var at=0,all=false;
if(turns.length===0||!bar){return;}
function show(to){
at=Math.max(0,Math.min(turns.length-1,to));
root.classList.toggle('stepping',!all);
turns.forEach(function(turn,place){turn.hidden=all?false:place!==at;});
if(all){turns[at].scrollIntoView();}
heads.forEach(function(head){
var x=String(Number(head.dataset.left)+Number(head.dataset.step)*at);
head.setAttribute('x1',x);head.setAttribute('x2',x);});
slider.value=String(at+1);
told.textContent='turn '+(at+1)+' of '+turns.length;
try{history.replaceState(null,'','#'+turns[at].id);}catch(e){return;}
}
function whole(on){all=on;show(at);}
document.getElementById('back').addEventListener('click',function(){show(at-1);});
document.getElementById('on').addEventListener('click',function(){show(at+1);});
document.getElementById('all').addEventListener('click',function(){whole(!all);});
slider.addEventListener('input',function(){show(Number(slider.value)-1);});
document.addEventListener('keydown',function(event){
if(event.ctrlKey||event.metaKey||event.altKey||event.target===slider){return;}
var to={ArrowRight:at+1,ArrowLeft:at-1,Home:0,End:turns.length-1}[event.key];
if(to===undefined){return;}
event.preventDefault();show(to);});
window.addEventListener('hashchange',function(){find();});
function find(){
var found=turns.findIndex(function(turn){return '#'+turn.id===location.hash;});
show(Math.max(0,found));}
bar.hidden=false;find();
})();";

/// Size of a chart, in its own units, and where its curves begin and end.
const CHART: (f64, f64) = (360.0, 110.0);
const PLOT: ([f64; 2], [f64; 2]) = ([30.0, 352.0], [8.0, 96.0]);
/// Labels named of a distribution.
const NAMED: usize = 4;

/// The page of a session called `name`.
pub fn session_page(name: &str, session: Session) -> String {
    let mut replay = Replay::new(session);
    let labels = replay.session().header.labels.clone();
    let mut pulse = Pulse::new(labels.len());
    let mut articles = String::new();
    let ends = replay.turn_ends();
    // What stands before the first question belongs to no turn: it is said of the whole session, as that it was picked.
    let events = &replay.session().events;
    let mut start = events.iter().take_while(|event| !matches!(event.as_ref(), Event::Asked(_))).count();
    let mut first_set = String::new();
    let said = happened(&mut first_set, events.iter().take(start).map(|event| event.as_ref()));
    for (place, end) in ends.into_iter().enumerate() {
        let state = replay.seek(end).clone();
        if let Some(beat) = Beat::of(&state, &labels) {
            pulse.push(beat);
        }
        if let (Some(turn), Some(outcome)) = (&state.turn, state.outcomes.last()) {
            let events = replay.session().events.get(start..end).unwrap_or_default();
            article(&mut articles, place + 1, turn, outcome, events.iter().map(|event| event.as_ref()));
        }
        start = end;
    }
    let tally = replay.state().tally();
    let header = &replay.session().header;
    let title = escaped(if header.title.is_empty() { name } else { &header.title });
    // Known to whoever made the page alone: nothing that found its way into it could name it.
    let secret = blake3::hash(format!("{title}{articles}").as_bytes()).to_hex();
    let nonce = &secret[..32];
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'"
    );
    let model = header.model.as_ref().map_or("memory alone".to_owned(), |model| escaped(&model.told()));
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<meta name=\"referrer\" content=\"no-referrer\"/>\n\
         <title>{title}</title>\n<style nonce=\"{nonce}\">\n{STYLE}\n</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n\
         <p class=\"faint\">{} · dataset {} · {model} · recorded by logoscope {}</p>\n",
        escaped(name),
        escaped(&header.dataset.name),
        escaped(&header.program),
    );
    // Writing to a String cannot fail, so its results are let go.
    list(&mut out, &said);
    out.push_str("<section>\n<h2>How the arms fared</h2>\n");
    summary(&mut out, &tally, pulse.moments(), replay.session().is_testable());
    out.push_str("<div class=\"charts\">\n");
    Measure::ALL.into_iter().for_each(|measure| chart(&mut out, measure, pulse.moments()));
    out.push_str("</div>\n</section>\n<section>\n<h2>Setting at the start</h2>\n");
    setting(&mut out, &header.setting);
    out.push_str(&first_set);
    let turns = pulse.moments().len().max(1);
    let _ = write!(
        out,
        "</section>\n<section>\n<h2>Turns</h2>\n<nav id=\"steps\" hidden=\"hidden\"><button id=\"back\" type=\"button\">←</button>\
         <input id=\"slider\" type=\"range\" min=\"1\" max=\"{turns}\" value=\"1\" aria-label=\"turn\"/>\
         <button id=\"on\" type=\"button\">→</button><span id=\"told\"></span><button id=\"all\" type=\"button\">all</button></nav>\n{articles}"
    );
    let _ = write!(out, "</section>\n</main>\n<script nonce=\"{nonce}\">\n{SCRIPT}\n</script>\n</body>\n</html>\n");
    out
}

fn number(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.2}"))
}

/// Accuracy with its interval, where questions were not picked and do not repeat, the last of every other measure, and what
/// the mediator changed.
fn summary(out: &mut String, tally: &Tally, moments: &[Moment], testable: bool) {
    let last = moments.last().copied().unwrap_or_default();
    out.push_str(
        "<div class=\"wide\"><table>\n<thead><tr><th>arm</th><th class=\"n\">accuracy</th><th class=\"n\">right</th>\
         <th class=\"n\">95 %</th><th class=\"n\">diversity</th><th class=\"n\">drift</th><th class=\"n\">by the analyst</th></tr></thead>\n<tbody>\n",
    );
    for arm in Arm::ALL {
        let (n, right) = tally.arms[arm as usize];
        let share = Share::of(right, n);
        let interval = share.filter(|_| testable).map(|share| share.interval);
        let interval = interval.map_or("–".to_owned(), |Interval { low, high }| format!("{low:.2} to {high:.2}"));
        let (called, called_right) = tally.by_analyst[arm as usize];
        let analyst = if called > 0 { format!("{called_right}/{called}") } else { "–".to_owned() };
        let name = arm.name();
        let _ = writeln!(
            out,
            "<tr><td class=\"{name}\">{name}</td><td class=\"n\">{}</td><td class=\"n\">{right}/{n}</td><td class=\"n\">{interval}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{analyst}</td></tr>",
            number(share.map(Share::value)),
            number(last.diversity[arm as usize]),
            number(last.drift[arm as usize]),
        );
    }
    let intervals =
        if testable { "Intervals are Wilson's." } else { "No intervals: the questions were picked, or repeat." };
    let Tally { turns, judged, overrides, rescues, suppressions, conflicts, .. } = *tally;
    let (turns, times) = (counted(turns, "question", "questions"), counted(overrides, "time", "times"));
    let rescues = counted(rescues, "rescue", "rescues");
    let suppressions = counted(suppressions, "suppression", "suppressions");
    let conflicts = counted(conflicts, "value conflict", "value conflicts");
    let _ = writeln!(
        out,
        "</tbody></table></div>\n<p>{turns}, {judged} with a known answer. The mediator overrode local memory {times}: {rescues}, \
         {suppressions}. {conflicts}.</p>\n\
         <p class=\"faint\">{intervals} Diversity: {}. Drift: {}.</p>",
        Measure::Diversity.told(),
        Measure::Drift.told()
    );
}

/// A measure's curves over the turns, with a line where the reader is.
fn chart(out: &mut String, measure: Measure, moments: &[Moment]) {
    let ([left, right], [top, bottom]) = PLOT;
    let (width, height) = CHART;
    let step = (right - left) / (moments.len().max(2) - 1) as f64;
    let ceiling = measure.top(moments).ceil();
    let (name, told) = (measure.name(), measure.told());
    let _ = write!(
        out,
        "<figure class=\"chart\"><h4>{name}</h4>\n<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{name}: {told}\">\n\
         <line class=\"axis\" x1=\"{left}\" y1=\"{bottom}\" x2=\"{right}\" y2=\"{bottom}\"/><line class=\"axis\" x1=\"{left}\" y1=\"{top}\" x2=\"{left}\" y2=\"{bottom}\"/>\n\
         <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{ceiling}</text><text x=\"{}\" y=\"{bottom}\" text-anchor=\"end\">0</text>\n",
        left - 4.0,
        top + 8.0,
        left - 4.0
    );
    for line in measure.lines() {
        let class = line.name();
        // A gap ends a curve; another begins behind it.
        let known = moments.iter().enumerate().map(|(turn, moment)| (turn, measure.at(moment, *line)));
        let mut points = String::new();
        let mut draw = |points: &mut String| {
            if !points.is_empty() {
                let _ = writeln!(out, "<polyline class=\"{class}\" points=\"{}\"/>", points.trim_end());
                points.clear();
            }
        };
        for (turn, value) in known {
            match value {
                Some(value) => {
                    let y = bottom - (bottom - top) * (value / ceiling).clamp(0.0, 1.0);
                    let _ = write!(points, "{:.1},{y:.1} ", left + step * turn as f64);
                }
                None => draw(&mut points),
            }
        }
        draw(&mut points);
    }
    let _ = writeln!(
        out,
        "<line class=\"head\" data-left=\"{left}\" data-step=\"{step:.4}\" x1=\"{left}\" y1=\"{top}\" x2=\"{left}\" y2=\"{bottom}\"/>\n</svg>\n\
         <p class=\"faint\">{told}: {}</p></figure>",
        measure
            .lines()
            .iter()
            .map(|arm| format!("<span class=\"{0}\">{0}</span>", arm.name()))
            .collect::<Vec<_>>()
            .join(", ")
    );
}

fn setting(out: &mut String, setting: &Setting) {
    let _ = write!(out, "<p>policy {}", setting.policy);
    for weight in Weight::ALL {
        let value = setting.weights.get(weight);
        let value = if value.is_infinite() { "inf".to_owned() } else { value.to_string() };
        let _ = write!(out, " · {} {value}", weight.name());
    }
    out.push_str("</p>\n");
}

/// `noir .52, comedy .31`.
fn shares(p: &ByLabel) -> String {
    let named = p.ranked().into_iter().take(NAMED).filter(|(_, p)| *p >= 0.005);
    named.map(|(label, p)| format!("{} {p:.2}", escaped(label))).collect::<Vec<_>>().join(", ")
}

fn article<'a>(
    out: &mut String,
    number: usize,
    turn: &Turn,
    outcome: &Outcome,
    events: impl Iterator<Item = &'a Event>,
) {
    let Some(asked) = turn.asked() else { return };
    let _ = writeln!(
        out,
        "<article class=\"turn\" id=\"turn-{number}\">\n<h3>{number}. {}</h3>\n<p class=\"faint\">{} asks at {}</p>",
        escaped(&asked.query),
        escaped(asked.user.as_str()),
        escaped(&asked.at.to_string())
    );
    let mut notes = happened(out, events);
    out.push_str("<div class=\"sides\">\n");
    local(out, turn);
    mediator(out, turn, outcome);
    global(out, turn);
    out.push_str("</div>\n");
    answers(out, turn, outcome, asked.gold.as_deref());
    for (answer, right) in turn.verdicts().words() {
        let word = if *right { "right" } else { "wrong" };
        notes.push(format!("the analyst calls {} {word}", escaped(answer)));
    }
    list(out, &notes);
    out.push_str("</article>\n");
}

/// What else happened: a changed setting is written at once, what memory was given and what was noted is given back.
fn happened<'a>(out: &mut String, events: impl Iterator<Item = &'a Event>) -> Vec<String> {
    let mut notes = Vec::new();
    for event in events {
        match event {
            Event::WeightsChanged(changed) => {
                out.push_str("<div class=\"faint\">set from here on: ");
                setting(out, changed);
                out.push_str("</div>\n");
            }
            Event::Remembered { interaction } => notes.push(format!(
                "memory is given: {} → {}",
                escaped(&interaction.query),
                escaped(&interaction.response)
            )),
            Event::Note { text } => notes.push(format!("note: {}", escaped(text))),
            _ => {}
        }
    }
    notes
}

/// Notes, one below the other; nothing of none.
fn list(out: &mut String, notes: &[String]) {
    if !notes.is_empty() {
        let _ = writeln!(out, "<ul class=\"faint\"><li>{}</li></ul>", notes.join("</li><li>"));
    }
}

fn local(out: &mut String, turn: &Turn) {
    let Some(evidence) = turn.evidence() else { return };
    let votes = &evidence.local.votes;
    let _ = writeln!(out, "<div><h4 class=\"local\">Local memory: {}</h4>", counted(votes.len(), "item", "items"));
    if let Some(resolution) = turn.resolution() {
        let _ = writeln!(out, "<p>{}, worth {:.1} examples</p>", shares(&resolution.local), resolution.mass);
    }
    out.push_str("<ul>\n");
    for vote in votes.iter().take(evidence.local.shown) {
        let _ = writeln!(
            out,
            "<li>{:.2} <b>{}</b> {} <span class=\"faint\">lexical {:.2} · dense {:.2} · {:.0} days</span></li>",
            vote.terms.score(),
            escaped(&vote.response),
            escaped(&vote.text),
            vote.terms.lexical,
            vote.terms.dense,
            vote.age_days
        );
    }
    out.push_str("</ul></div>\n");
}

fn mediator(out: &mut String, turn: &Turn, outcome: &Outcome) {
    let Some(resolution) = turn.resolution() else { return };
    let overrides = if outcome.overridden { ", against local" } else { "" };
    let _ = writeln!(
        out,
        "<div><h4 class=\"mediated\">Mediator: {}{overrides}</h4>\n<p>{} by {}, margin {:.2}</p>",
        escaped(&resolution.decision),
        shares(&resolution.distribution),
        resolution.policy,
        resolution.margin
    );
    out.push_str("<ul>\n");
    for conflict in &resolution.conflicts {
        let (kind, bits) = (conflict.r#type.name(), conflict.divergence);
        let (local, global) = (escaped(&conflict.local), escaped(&conflict.global));
        let _ = match conflict.r#type {
            ConflictKind::Coverage => writeln!(out, "<li>{}</li>", coverage(conflict.silent)),
            _ if local == global => writeln!(out, "<li>{kind} conflict about {local}, {bits:.2} bits</li>"),
            _ => writeln!(out, "<li>{kind} conflict: {local} against {global}, {bits:.2} bits</li>"),
        };
    }
    out.push_str("</ul></div>\n");
}

fn global(out: &mut String, turn: &Turn) {
    let Some(evidence) = turn.evidence() else { return };
    let global = &evidence.global;
    let period = global.period.map_or("no period yet".to_owned(), |period| format!("period {}", period.number));
    let _ = writeln!(out, "<div><h4 class=\"global\">Global memory: {period}</h4>");
    if let Some(resolution) = turn.resolution() {
        let _ = writeln!(
            out,
            "<p>{}, {}, {} kept back</p>",
            shares(&resolution.global),
            counted(global.support, "contributor", "contributors"),
            counted(global.suppressed, "entry", "entries")
        );
    }
    out.push_str("<ul>\n");
    for entry in &global.entries {
        let _ = writeln!(
            out,
            "<li>{:.2} {} <span class=\"faint\">{} · {}</span></li>",
            entry.terms.score(),
            shares(&entry.distribution),
            counted(entry.users, "person", "people"),
            escaped(&entry.top_terms.join(" "))
        );
    }
    out.push_str("</ul></div>\n");
}

fn answers(out: &mut String, turn: &Turn, outcome: &Outcome, gold: Option<&str>) {
    out.push_str("<div class=\"wide\"><table>\n<thead><tr><th>arm</th><th>answer</th><th></th><th>it wrote</th></tr></thead>\n<tbody>\n");
    for arm in Arm::ALL {
        let Some(answered) = turn.answered(arm) else { continue };
        let mark = match outcome.arms[arm as usize] {
            Some(true) => "<span class=\"good\">✓ right</span>",
            Some(false) => "<span class=\"bad\">✗ wrong</span>",
            None => "",
        };
        let p = answered.distribution.get(&answered.answer).unwrap_or_default();
        let name = arm.name();
        let _ = writeln!(
            out,
            "<tr><td class=\"{name}\">{name}</td><td>{} {p:.2}<svg viewBox=\"0 0 100 4\" aria-hidden=\"true\" class=\"{name}\">\
             <rect class=\"share\" width=\"{:.1}\" height=\"4\"/></svg></td><td>{mark}</td><td>{}</td></tr>",
            escaped(&answered.answer),
            (p * 100.0).clamp(0.0, 100.0),
            escaped(answered.text.trim())
        );
    }
    out.push_str("</tbody></table></div>\n");
    if let Some(gold) = gold {
        let _ = writeln!(out, "<p>really <b>{}</b></p>", escaped(gold));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_needs_no_escape_in_a_page() {
        assert!(!SCRIPT.contains(['<', '&']) && !SCRIPT.contains("]]"), "{SCRIPT}");
    }

    #[test]
    fn one_of_something_is_told_as_one() {
        let one = Tally { turns: 1, overrides: 1, rescues: 1, suppressions: 1, conflicts: 1, ..Tally::default() };
        for (tally, told) in [
            (
                one,
                "1 question, 0 with a known answer. The mediator overrode local memory 1 time: 1 rescue, 1 suppression. 1 value conflict.",
            ),
            (
                Tally { turns: 2, ..Tally::default() },
                "2 questions, 0 with a known answer. The mediator overrode local memory 0 times: 0 rescues, 0 suppressions. 0 value conflicts.",
            ),
        ] {
            let mut out = String::new();
            summary(&mut out, &tally, &[], true);
            assert!(out.contains(told), "{out}");
        }
    }
}
