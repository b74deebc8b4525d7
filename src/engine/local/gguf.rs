//! Looks at a GGUF file before the library does, which panics at what it does not know, and makes the tokenizer that the
//! library would only approximate.
//!
//! Invariant: what passes here has the keys, the tensors and the tokenizer that the library takes for granted; every
//! refusal names what is at fault.

use std::path::{Path, PathBuf};

use serde_json::json;
use tokenizers::Tokenizer;

use super::files::{CONTEXT_BLOCK, Chat, Check, ModelFiles, Shape, Stored, check_positions, refuse};
use super::folder::{self, USUAL_ENDS};
use crate::engine::download::parts_of;
use crate::engine::gguf::{Header, Value};

/// What the library can load, each with the keys it takes for granted beside [`KEYS`].
const ARCHITECTURES: [(&str, &[&str]); 8] = [
    ("llama", &["rope.dimension_count", "attention.layer_norm_rms_epsilon"]),
    ("mistral3", &["rope.dimension_count", "attention.layer_norm_rms_epsilon"]),
    ("phi2", &["rope.dimension_count", "attention.layer_norm_epsilon"]),
    ("phi3", &["rope.dimension_count", "attention.layer_norm_rms_epsilon", "feed_forward_length"]),
    ("qwen2", &["attention.layer_norm_rms_epsilon"]),
    ("qwen3", &["attention.layer_norm_rms_epsilon"]),
    ("qwen3moe", &["attention.layer_norm_rms_epsilon", "expert_count", "expert_used_count"]),
    ("starcoder2", &["attention.layer_norm_epsilon"]),
];

/// What every architecture needs.
const KEYS: [&str; 5] =
    ["context_length", "embedding_length", "block_count", "attention.head_count", "attention.head_count_kv"];

/// How byte-level tokenizers cut a text before they look for pairs, by the names that GGUF has for it. The patterns are
/// those of the model families' own tokenizers.
const CUTS: [(&[&str], &[Cut]); 5] = [
    (&["gpt-2", "gpt2", "phi-2", "olmo", "mpt", "jina-es", "jina-de", "gigachat"], &[Cut::Words]),
    (
        &["llama-bpe", "llama3", "llama-v3", "smaug-bpe", "falcon3", "dbrx"],
        &[Cut::Pattern(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        )],
    ),
    (
        &["qwen2", "deepseek-r1-qwen", "stablelm2", "megrez"],
        &[Cut::Pattern(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        )],
    ),
    (&["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone"], &[Cut::Digits, Cut::Words]),
    (
        &["tekken"],
        &[Cut::Pattern(
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        )],
    ),
];

/// Those of them by which a cut that is a token as a whole is that token, whatever pairs would be merged. Texts of their
/// families begin with a token of its own, unless the header says otherwise.
const WHOLE: [&str; 5] = ["llama-bpe", "llama3", "llama-v3", "falcon3", "tekken"];

/// One step of cutting a text.
#[derive(Clone, Copy)]
enum Cut {
    /// At words, as GPT-2 has it.
    Words,
    /// At every digit.
    Digits,
    /// At what a pattern matches.
    Pattern(&'static str),
}

/// Kinds of tokens, as the header numbers them.
const UNKNOWN: u64 = 2;
const CONTROL: u64 = 3;
const DEFINED: u64 = 4;
const BYTE: u64 = 6;

impl ModelFiles {
    /// Checks the GGUF file at `path`, all its parts if it is split, and reads everything but the weights.
    pub(super) fn of_gguf(path: &Path) -> Check<Self> {
        // Not resolved: in the cache that programs share a file's name is a link to its checksum.
        let path = match (std::path::absolute(path), path.metadata()) {
            (Ok(path), Ok(found)) if found.is_file() => path,
            (Ok(_), Ok(_)) => return refuse("it is a folder, not a file", "give the GGUF file in it"),
            (Err(error), _) | (_, Err(error)) => {
                return refuse(format!("there is no such file ({error})"), "check the path");
            }
        };
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut header = Header::default();
        let mut weights = Vec::new();
        for part in parts_of(&name) {
            let part = folder.join(part);
            if !part.is_file() {
                return refuse(format!("its part {} is missing", part.display()), COPY_FILE);
            }
            header.extend(Header::read(&part).map_err(|reason| (reason, COPY_FILE.to_owned()))?);
            weights.push(part);
        }
        if header.count("split.count").is_some_and(|count| count > 1 && count != weights.len() as u64) {
            return refuse(
                "it is one part of a split file, renamed",
                "give the parts the names they were published with",
            );
        }
        Self::of_header(path, folder, weights, &header)
    }

    fn of_header(path: PathBuf, folder: PathBuf, weights: Vec<PathBuf>, header: &Header) -> Check<Self> {
        let architecture = header.text("general.architecture").unwrap_or_default();
        let known = ARCHITECTURES.into_iter().find(|(name, _)| *name == architecture);
        let Some((_, keys)) = known else {
            let names = ARCHITECTURES.map(|(name, _)| name).join(", ");
            return refuse(
                format!("it holds a model of the architecture {architecture:?}"),
                format!("as GGUF this program loads {names}; look for the model's safetensors"),
            );
        };
        let count = |key: &str| {
            let key = format!("{architecture}.{key}");
            match header.count(&key) {
                Some(number) if number > 0 => Ok(number),
                _ => refuse(format!("its header states no {key}"), "look for another conversion of the model"),
            }
        };
        for key in KEYS {
            count(key)?;
        }
        for key in keys.iter().map(|key| format!("{architecture}.{key}")) {
            if !header.values.contains_key(&key) {
                return refuse(format!("its header states no {key}"), "look for another conversion of the model");
            }
        }
        let Some(table) = header.tensors.get("token_embd.weight") else {
            return refuse(
                "it has no tensor token_embd.weight",
                "give the model itself, not an adapter or a projector",
            );
        };
        let vocabulary = table.sides.get(1).copied().unwrap_or(0);
        let max_context = count("context_length")?;
        if max_context < CONTEXT_BLOCK {
            return refuse(
                format!("its context of {max_context} tokens is shorter than the {CONTEXT_BLOCK} that are needed"),
                "choose another model",
            );
        }
        check_positions(&format!("its {architecture}.context_length"), max_context)?;
        let beside = folder.join("tokenizer.json").is_file();
        let tokenizer = if beside { folder::tokenizer(&folder, vocabulary)? } else { tokenizer(header, vocabulary)? };
        let heads = count("attention.head_count")?;
        let side = header.count(&format!("{architecture}.attention.key_length"));
        let side = side.unwrap_or(count("embedding_length")? / heads);
        let keys = count("attention.head_count_kv")?.saturating_mul(side);
        // Some architectures turn so many numbers of a head as this says, some the whole of it.
        let turned = header.count(&format!("{architecture}.rope.dimension_count")).unwrap_or(0).max(side).div_ceil(2);
        let sum =
            |of: fn(&crate::engine::gguf::Tensor) -> u64| header.tensors.values().map(of).fold(0, u64::saturating_add);
        Ok(Self {
            stored: Stored::Gguf { format: header.format(), bytes: sum(|tensor| tensor.bytes) },
            weights,
            ends: ends(header, &tokenizer),
            tokenizer,
            parameters: sum(|tensor| tensor.weights),
            max_context: usize::try_from(max_context / CONTEXT_BLOCK * CONTEXT_BLOCK).unwrap_or(usize::MAX),
            chat: chat(header),
            shape: Shape {
                table: table.weights,
                cached: count("block_count")?.saturating_mul(keys).saturating_mul(2),
                turned,
            },
            path,
        })
    }
}

/// The chat template, with the texts of the tokens that it may name.
fn chat(header: &Header) -> Option<Chat> {
    let tokens = header.array("tokenizer.ggml.tokens").unwrap_or_default();
    let token = |key: &str| match tokens.get(usize::try_from(header.count(&format!("tokenizer.ggml.{key}"))?).ok()?)? {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    };
    let template = header.text("tokenizer.chat_template")?.to_owned();
    Some(Chat { template, bos: token("bos_token_id"), eos: token("eos_token_id") })
}

/// Tokens that end an answer.
fn ends(header: &Header, tokenizer: &Tokenizer) -> Vec<u32> {
    let keys = ["eos_token_id", "eot_token_id", "eom_token_id"];
    let stated = keys.iter().filter_map(|key| header.count(&format!("tokenizer.ggml.{key}")));
    let mut ends: Vec<u32> = stated.filter_map(|id| u32::try_from(id).ok()).collect();
    if ends.is_empty() {
        ends.extend(USUAL_ENDS.into_iter().filter_map(|name| tokenizer.token_to_id(name)));
    }
    ends.sort_unstable();
    ends.dedup();
    ends
}

const COPY_FILE: &str = "copy or download the file again, or give the folder that holds config.json";
const BRING_TOKENIZER: &str = "put the model's own tokenizer.json beside the file";

/// The tokenizer that the header describes.
fn tokenizer(header: &Header, vocabulary: u64) -> Check<Tokenizer> {
    let key = |name: &str| format!("tokenizer.ggml.{name}");
    let Some(tokens) = header.array(&key("tokens")) else {
        return refuse("it brings no tokenizer", BRING_TOKENIZER);
    };
    let texts: Vec<&str> = tokens
        .iter()
        .filter_map(|token| if let Value::Text(text) = token { Some(text.as_str()) } else { None })
        .collect();
    if texts.len() != tokens.len() || texts.is_empty() || texts.len() as u64 > vocabulary {
        return refuse(
            format!("its tokenizer has {} tokens, and the model a vocabulary of {vocabulary}", tokens.len()),
            COPY_FILE,
        );
    }
    let kind = header.text(&key("model")).unwrap_or_default();
    let mut json = match kind {
        "gpt2" => byte_level(header, &texts)?,
        "llama" => sentence_pieces(header, &texts)?,
        other => {
            return refuse(
                format!(
                    "its tokenizer is of the kind {other:?}, and those that can be made of a header are gpt2 and llama"
                ),
                BRING_TOKENIZER,
            );
        }
    };
    let kinds = header.array(&key("token_type")).unwrap_or_default();
    let special = texts.iter().zip(kinds).enumerate().filter_map(|(id, (text, kind))| match kind {
        Value::Unsigned(kind @ (CONTROL | DEFINED)) => Some(json!({
            "id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            "special": *kind == CONTROL,
        })),
        _ => None,
    });
    json["added_tokens"] = special.collect();
    if let Some((id, text)) = opening(header, kind, &texts) {
        json["post_processor"] = put_before(id, text);
    }
    let made = serde_json::to_vec(&json).map_err(|error| error.to_string());
    let made = made.and_then(|json| Tokenizer::from_bytes(json).map_err(|error| error.to_string()));
    let tokenizer =
        made.map_err(|error| (format!("its tokenizer cannot be used: {error}"), BRING_TOKENIZER.to_owned()))?;
    if tokenizer.get_vocab_size(true) != texts.len() {
        return refuse("its tokenizer has the same token twice", BRING_TOKENIZER);
    }
    Ok(tokenizer)
}

/// The token that texts begin with, where the header says so, or where it says nothing and its kind has it so.
fn opening<'a>(header: &Header, kind: &str, texts: &[&'a str]) -> Option<(usize, &'a str)> {
    let usual = || kind == "llama" || header.text("tokenizer.ggml.pre").is_some_and(|named| WHOLE.contains(&named));
    let wanted = match header.values.get("tokenizer.ggml.add_bos_token") {
        Some(Value::Bool(stated)) => *stated,
        _ => usual(),
    };
    let id = usize::try_from(header.count("tokenizer.ggml.bos_token_id").filter(|_| wanted)?).ok()?;
    Some((id, texts.get(id)?))
}

/// What puts a token in front of a text, as a tokenizer's file has it.
fn put_before(id: usize, text: &str) -> serde_json::Value {
    let token = json!({"SpecialToken": {"id": text, "type_id": 0}});
    let sequence = |name: &str, kind: u8| json!({"Sequence": {"id": name, "type_id": kind}});
    json!({
        "type": "TemplateProcessing",
        "single": [token, sequence("A", 0)],
        "pair": [token, sequence("A", 0), sequence("B", 1)],
        "special_tokens": {(text): {"id": text, "ids": [id], "tokens": [text]}},
    })
}

fn vocabulary_of(texts: &[&str]) -> serde_json::Map<String, serde_json::Value> {
    texts.iter().enumerate().map(|(id, text)| ((*text).to_owned(), json!(id))).collect()
}

/// A tokenizer over bytes, with the pairs it merges listed.
fn byte_level(header: &Header, texts: &[&str]) -> Check<serde_json::Value> {
    let merges = header.array("tokenizer.ggml.merges").unwrap_or_default();
    let pair = |merge: &Value| match merge {
        Value::Text(text) => text.split_once(' ').map(|(left, right)| [left.to_owned(), right.to_owned()]),
        _ => None,
    };
    let Some(pairs) = merges.iter().map(pair).collect::<Option<Vec<_>>>() else {
        return refuse("its tokenizer merges what are no pairs", BRING_TOKENIZER);
    };
    // What names no cut was written before there were names for it, whichever cut its model was trained with.
    let Some(named) = header.text("tokenizer.ggml.pre") else {
        return refuse("its header does not say how its tokenizer cuts texts (tokenizer.ggml.pre)", BRING_TOKENIZER);
    };
    let Some((_, cuts)) = CUTS.into_iter().find(|(names, _)| names.contains(&named)) else {
        return refuse(
            format!("its tokenizer cuts texts by {named:?}, which this program does not know"),
            BRING_TOKENIZER,
        );
    };
    let words = cuts.iter().any(|cut| matches!(cut, Cut::Words));
    let steps = cuts.iter().filter_map(|cut| match cut {
        Cut::Words => None,
        Cut::Digits => Some(json!({"type": "Digits", "individual_digits": true})),
        Cut::Pattern(pattern) => {
            Some(json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false}))
        }
    });
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": words});
    let steps: Vec<_> = steps.chain([bytes]).collect();
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                  "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": WHOLE.contains(&named),
                  "vocab": vocabulary_of(texts), "merges": pairs},
    }))
}

/// A tokenizer of sentence pieces, whose scores rank the pairs it merges: of every token that is a piece of text, each way to
/// cut it into two others is a pair, and the better the token's score the earlier it is merged.
fn sentence_pieces(header: &Header, texts: &[&str]) -> Check<serde_json::Value> {
    let scores: Vec<f64> = header
        .array("tokenizer.ggml.scores")
        .unwrap_or_default()
        .iter()
        .filter_map(|score| if let Value::Float(score) = score { Some(*score) } else { None })
        .collect();
    if scores.len() != texts.len() {
        return refuse(
            format!("its tokenizer has {} tokens and {} scores", texts.len(), scores.len()),
            BRING_TOKENIZER,
        );
    }
    let ids: std::collections::HashMap<&str, usize> = texts.iter().enumerate().map(|(id, text)| (*text, id)).collect();
    let kinds = header.array("tokenizer.ggml.token_type").unwrap_or_default();
    let is_piece = |id: &usize| !matches!(kinds.get(*id), Some(Value::Unsigned(UNKNOWN | CONTROL | BYTE)));
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    for (id, text) in texts.iter().enumerate().filter(|(id, _)| is_piece(id)) {
        let cuts = text.char_indices().skip(1).map(|(at, _)| text.split_at(at));
        let known = cuts.filter_map(|(left, right)| Some((*ids.get(left)?, *ids.get(right)?)));
        pairs.extend(known.map(|(left, right)| (scores[id], left, right)));
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    let merges: Vec<[&str; 2]> = pairs.into_iter().map(|(_, left, right)| [texts[left], texts[right]]).collect();
    let unknown = header.count("tokenizer.ggml.unknown_token_id").unwrap_or(0) as usize;
    let space = !matches!(header.values.get("tokenizer.ggml.add_space_prefix"), Some(Value::Bool(false)));
    let replace = json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"});
    let mut normalizers = vec![replace];
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if space {
        normalizers.insert(0, json!({"type": "Prepend", "prepend": "▁"}));
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "pre_tokenizer": null, "post_processor": null,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {"type": "BPE", "dropout": null, "unk_token": texts.get(unknown), "continuing_subword_prefix": null,
                  "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
                  "vocab": vocabulary_of(texts), "merges": merges},
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn header(kind: &str, tokens: &[&str], more: Vec<(&str, Value)>) -> Header {
        let mut header = Header::default();
        header.values.insert("tokenizer.ggml.model".into(), text(kind));
        header
            .values
            .insert("tokenizer.ggml.tokens".into(), Value::Array(tokens.iter().map(|token| text(token)).collect()));
        header.values.extend(more.into_iter().map(|(key, value)| (format!("tokenizer.ggml.{key}"), value)));
        header
    }

    #[test]
    fn sentence_pieces_are_merged_by_their_scores() {
        let tokens = ["<unk>", "<0x41>", "▁", "a", "b", "c", "ab", "bc", "▁a", "abc", "</s>"];
        let scores = [0.0, 0.0, -9.0, -9.0, -9.0, -9.0, -2.0, -1.0, -3.0, -4.0, 0.0].map(Value::Float);
        let kinds = [2, 6, 1, 1, 1, 1, 1, 1, 1, 1, 3].map(Value::Unsigned);
        let more = vec![("scores", Value::Array(scores.to_vec())), ("token_type", Value::Array(kinds.to_vec()))];
        let tokenizer = tokenizer(&header("llama", &tokens, more), 11).unwrap();
        let pieces = |text: &str| tokenizer.encode_fast(text, false).unwrap().get_ids().to_vec();
        assert_eq!(pieces("abc"), [8, 7], "'bc' before 'ab', then the space with 'a'");
        assert_eq!(pieces("A</s>"), [2, 1, 10], "a byte where there is no letter; the end is one token");
        assert_eq!(tokenizer.decode(&[8, 7], false).unwrap(), "abc");
    }

    #[test]
    fn no_pieces_of_text_are_merged_to_a_control_token() {
        let tokens = ["<unk>", "</s>", "</", "s>", "<", "/", "s", ">", "▁"];
        let scores = [0.0, 0.0, -1.0, -2.0, -9.0, -9.0, -9.0, -9.0, -9.0].map(Value::Float);
        let kinds = [2, 3, 1, 1, 1, 1, 1, 1, 1].map(Value::Unsigned);
        let more = vec![("scores", Value::Array(scores.to_vec())), ("token_type", Value::Array(kinds.to_vec()))];
        let mut tokenizer = tokenizer(&header("llama", &tokens, more), 9).unwrap();
        let pieces = |tokenizer: &Tokenizer| tokenizer.encode_fast("</s>", false).unwrap().get_ids().to_vec();
        assert_eq!(pieces(&tokenizer), [1], "where a template writes it");
        tokenizer.set_encode_special_tokens(true);
        assert_eq!(pieces(&tokenizer), [8, 2, 3], "where it is text");
    }

    #[test]
    fn a_tokenizer_that_cannot_be_made_is_refused_with_the_way_out() {
        let refused = |header: Header, vocabulary| tokenizer(&header, vocabulary).unwrap_err();
        let (reason, remedy) = refused(header("bert", &["a"], Vec::new()), 9);
        assert!(reason.contains("\"bert\"") && remedy.contains("tokenizer.json beside"), "{reason}; {remedy}");
        let (reason, _) = refused(header("gpt2", &["a"], vec![("pre", text("viking"))]), 9);
        assert!(reason.contains("\"viking\""), "{reason}");
        let (reason, _) = refused(header("gpt2", &["a", "b"], Vec::new()), 1);
        assert!(reason.contains("2 tokens") && reason.contains("vocabulary of 1"), "{reason}");
        let (reason, remedy) = refused(header("gpt2", &["a"], Vec::new()), 9);
        assert!(
            reason.contains("tokenizer.ggml.pre") && remedy.contains("tokenizer.json beside"),
            "{reason}; {remedy}"
        );
        // No model was trained with that: it stands where nobody knew.
        assert!(refused(header("gpt2", &["a"], vec![("pre", text("default"))]), 9).0.contains("\"default\""));
        assert!(refused(header("gpt2", &["a", "a"], vec![("pre", text("gpt-2"))]), 2).0.contains("twice"));
        assert!(refused(Header::default(), 2).0.contains("no tokenizer"));
        assert!(refused(header("llama", &["a"], Vec::new()), 2).0.contains("1 tokens and 0 scores"));
    }

    #[test]
    fn a_text_begins_as_the_header_says_or_as_its_kind_has_it() {
        let first = |kind: &str, more: Vec<(&str, Value)>| {
            let scores = ("scores", Value::Array(vec![Value::Float(0.0), Value::Float(-1.0)]));
            let begin = ("bos_token_id", Value::Unsigned(1));
            let header = header(kind, &["a", "<s>"], [vec![scores, begin], more].concat());
            tokenizer(&header, 9).unwrap().encode_fast("a", true).unwrap().get_ids()[0] == 1
        };
        let (pre, add) = (|name| ("pre", text(name)), |add| ("add_bos_token", Value::Bool(add)));
        assert!(first("llama", vec![]) && !first("llama", vec![add(false)]));
        assert!(first("gpt2", vec![pre("llama-bpe")]) && first("gpt2", vec![pre("tekken")]));
        assert!(!first("gpt2", vec![pre("llama-bpe"), add(false)]));
        assert!(!first("gpt2", vec![pre("qwen2")]) && first("gpt2", vec![pre("qwen2"), add(true)]));
        assert!(!first("gpt2", vec![pre("llama-bpe"), ("bos_token_id", Value::Unsigned(7))]), "no such token");
    }

    /// No pair leads to `abc`, and `abcd` is no token.
    #[test]
    fn what_is_a_token_as_a_whole_is_not_merged_where_the_family_has_it_so() {
        for name in CUTS.iter().flat_map(|(names, _)| *names) {
            let made = tokenizer(&header("gpt2", &["a", "b", "c", "d", "abc"], vec![("pre", text(name))]), 9).unwrap();
            let pieces = |text: &str| made.encode_fast(text, false).unwrap().get_ids().to_vec();
            let whole = ["llama-bpe", "llama3", "llama-v3", "falcon3", "tekken"].contains(name);
            assert_eq!(pieces("abc"), if whole { vec![4] } else { vec![0, 1, 2] }, "{name}");
            assert_eq!(pieces("abcd"), [0, 1, 2, 3], "{name}");
        }
    }

    #[test]
    fn every_way_to_cut_a_text_is_one_that_the_tokenizer_takes() {
        for name in CUTS.iter().flat_map(|(names, _)| *names) {
            let made = tokenizer(&header("gpt2", &["a", "1", "Ġ"], vec![("pre", text(name))]), 9).unwrap();
            assert_eq!(made.encode_fast("a 1", false).unwrap().get_ids(), [0, 2, 1], "{name}");
        }
    }
}
