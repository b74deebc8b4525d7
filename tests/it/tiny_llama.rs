//! Writes a model folder for tests: a Llama of two layers with random weights and a byte-level tokenizer.
//!
//! Invariants: the same folder every time; it answers in printable ASCII, one character a token, and never ends an
//! answer by itself, so that tests can count; its only control token is the end of text.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// Labels that are one token each.
pub const LABELS: [&str; 3] = ["<noir>", "<comedy>", "<dystopia>"];

/// Tokens of the vocabulary: the bytes, the labels and the end of text.
pub const VOCABULARY: usize = 256 + LABELS.len() + 1;

/// Tokens of prompt and answer together.
pub const CONTEXT: usize = 512;

/// Width of the model.
pub const WIDTH: usize = 64;
const HEADS: usize = 2;
const INNER: usize = 128;
const LAYERS: usize = 2;

/// Writes the folder.
pub fn write(dir: &Path) {
    fs::write(dir.join("config.json"), config().to_string()).unwrap();
    fs::write(dir.join("tokenizer.json"), tokenizer().to_string()).unwrap();
    fs::write(dir.join("model.safetensors"), safetensors(&tensors(1, false))).unwrap();
}

/// Writes a Qwen3 of the same size.
pub fn write_qwen(dir: &Path) {
    fs::write(dir.join("config.json"), qwen_config().to_string()).unwrap();
    fs::write(dir.join("tokenizer.json"), tokenizer().to_string()).unwrap();
    fs::write(dir.join("model.safetensors"), safetensors(&tensors(2, true))).unwrap();
}

/// Writes a Qwen3 that makes vectors: the state of a text's last token.
pub fn write_embedder(dir: &Path) {
    let modules = json!([
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ]);
    let pooling = json!({
        "word_embedding_dimension": WIDTH,
        "pooling_mode_cls_token": false,
        "pooling_mode_mean_tokens": false,
        "pooling_mode_max_tokens": false,
        "pooling_mode_mean_sqrt_len_tokens": false,
        "pooling_mode_weightedmean_tokens": false,
        "pooling_mode_lasttoken": true,
        "include_prompt": true,
    });
    let bare = |(name, shape, numbers): Tensor| (name.trim_start_matches("model.").to_owned(), shape, numbers);
    let tensors: Vec<Tensor> = tensors(3, true).into_iter().map(bare).collect();
    fs::write(dir.join("config.json"), qwen_config().to_string()).unwrap();
    fs::write(dir.join("tokenizer.json"), tokenizer().to_string()).unwrap();
    fs::write(dir.join("modules.json"), modules.to_string()).unwrap();
    fs::create_dir_all(dir.join("1_Pooling")).unwrap();
    fs::write(dir.join("1_Pooling/config.json"), pooling.to_string()).unwrap();
    fs::write(dir.join("model.safetensors"), safetensors(&tensors)).unwrap();
}

fn qwen_config() -> Value {
    let mut config = config();
    config["architectures"] = json!(["Qwen3ForCausalLM"]);
    config["model_type"] = json!("qwen3");
    config["head_dim"] = json!(WIDTH / HEADS);
    config["max_window_layers"] = json!(LAYERS);
    config["use_sliding_window"] = json!(false);
    config["sliding_window"] = Value::Null;
    config
}

/// Writes a Llama with other weights and room for so many tokens.
pub fn write_other(dir: &Path, seed: u64, context: usize) {
    let mut config = config();
    config["max_position_embeddings"] = json!(context);
    fs::write(dir.join("config.json"), config.to_string()).unwrap();
    fs::write(dir.join("tokenizer.json"), tokenizer().to_string()).unwrap();
    fs::write(dir.join("model.safetensors"), safetensors(&tensors(seed, false))).unwrap();
}

/// The configuration that belongs to the weights.
pub fn config() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "vocab_size": VOCABULARY,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": 1,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "max_position_embeddings": CONTEXT,
        "tie_word_embeddings": true,
        "eos_token_id": VOCABULARY - 1,
    })
}

/// The character that byte-level tokenizers write for a byte.
fn letter(byte: u8) -> char {
    let plain = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    if plain(byte) {
        return char::from(byte);
    }
    let nth = (0..byte).filter(|&other| !plain(other)).count() as u32;
    char::from_u32(256 + nth).unwrap()
}

/// The tokenizer that belongs to the weights.
pub fn tokenizer() -> Value {
    let vocabulary: serde_json::Map<String, Value> =
        (0..=255u8).map(|byte| (letter(byte).to_string(), json!(byte))).collect();
    let added: Vec<Value> = LABELS
        .iter()
        .chain(&["<|endoftext|>"])
        .enumerate()
        .map(|(nth, content)| {
            json!({"id": 256 + nth, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                   "normalized": false, "special": nth == LABELS.len()})
        })
        .collect();
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                  "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                  "vocab": vocabulary, "merges": []},
    })
}

/// Pseudo-random numbers in -1 … 1 (splitmix64).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        (bits >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

/// How strongly a token is embedded. Inputs and outputs share the table, so a weak token is never the most probable.
fn strength(token: usize) -> f32 {
    match token {
        0x20..=0x7E => 1.0,
        0x100.. => 0.3,
        _ => 0.01,
    }
}

/// A tensor: its name, its sides, its numbers.
pub type Tensor = (String, Vec<usize>, Vec<f32>);

/// The weights of a random model, of Qwen3's kind or of Llama's.
pub fn tensors(seed: u64, qwen: bool) -> Vec<Tensor> {
    let mut noise = Noise(seed);
    let mut tensors: Vec<Tensor> = Vec::new();
    let mut add = |name: String, shape: &[usize], value: &mut dyn FnMut(usize) -> f32| {
        let numbers = (0..shape.iter().product()).map(value).collect();
        tensors.push((name, shape.to_vec(), numbers));
    };
    add("model.embed_tokens.weight".into(), &[VOCABULARY, WIDTH], &mut |at| noise.next() * strength(at / WIDTH));
    for layer in 0..LAYERS {
        let name = |part: &str| format!("model.layers.{layer}.{part}.weight");
        let head = WIDTH / HEADS;
        add(name("input_layernorm"), &[WIDTH], &mut |_| 1.0);
        add(name("post_attention_layernorm"), &[WIDTH], &mut |_| 1.0);
        if qwen {
            add(name("self_attn.q_norm"), &[head], &mut |_| 1.0);
            add(name("self_attn.k_norm"), &[head], &mut |_| 1.0);
        }
        for (part, rows, columns) in [
            ("self_attn.q_proj", WIDTH, WIDTH),
            ("self_attn.k_proj", head, WIDTH),
            ("self_attn.v_proj", head, WIDTH),
            ("self_attn.o_proj", WIDTH, WIDTH),
            ("mlp.gate_proj", INNER, WIDTH),
            ("mlp.up_proj", INNER, WIDTH),
            ("mlp.down_proj", WIDTH, INNER),
        ] {
            let scale = 3.0 / (columns as f32).sqrt();
            add(name(part), &[rows, columns], &mut |_| noise.next() * scale);
        }
    }
    add("model.norm.weight".into(), &[WIDTH], &mut |_| 1.0);
    tensors
}

/// Weights as a safetensors file: the length of the header, the header, the numbers.
pub fn safetensors(tensors: &[Tensor]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut data: Vec<u8> = Vec::new();
    for (name, shape, numbers) in tensors {
        let start = data.len();
        data.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        header.insert(name.clone(), json!({"dtype": "F32", "shape": shape, "data_offsets": [start, data.len()]}));
    }
    let header = Value::Object(header).to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.extend(data);
    file
}

/// A value in a GGUF header.
#[derive(Clone)]
pub enum Gguf {
    Text(String),
    Number(u32),
    Float(f32),
    Bool(bool),
    Texts(Vec<String>),
    Numbers(Vec<i32>),
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// What a GGUF file says of the model that [`tensors`] makes, tokenizer included.
pub fn gguf_keys() -> Vec<(String, Gguf)> {
    let number = |key: &str, number: usize| (format!("llama.{key}"), Gguf::Number(number as u32));
    let ggml = |key: &str, value| (format!("tokenizer.ggml.{key}"), value);
    let tokens: Vec<String> = (0..=255u8)
        .map(|byte| letter(byte).to_string())
        .chain(LABELS.map(str::to_owned))
        .chain(["<|endoftext|>".to_owned()])
        .collect();
    // Of text, defined by the user, control.
    let kind = |id: usize| if id < 256 { 1 } else { 4 - i32::from(id + 1 == VOCABULARY) };
    let kinds = (0..VOCABULARY).map(kind).collect();
    vec![
        ("general.architecture".into(), Gguf::Text("llama".into())),
        number("context_length", CONTEXT),
        number("embedding_length", WIDTH),
        number("block_count", LAYERS),
        number("feed_forward_length", INNER),
        number("attention.head_count", HEADS),
        number("attention.head_count_kv", 1),
        number("rope.dimension_count", WIDTH / HEADS),
        ("llama.rope.freq_base".into(), Gguf::Float(10000.0)),
        ("llama.attention.layer_norm_rms_epsilon".into(), Gguf::Float(1e-5)),
        ggml("model", Gguf::Text("gpt2".into())),
        ggml("pre", Gguf::Text("gpt-2".into())),
        ggml("tokens", Gguf::Texts(tokens)),
        ggml("token_type", Gguf::Numbers(kinds)),
        ggml("merges", Gguf::Texts(Vec::new())),
        ggml("eos_token_id", Gguf::Number(VOCABULARY as u32 - 1)),
    ]
}

/// Queries and keys in GGUF turn neighbouring numbers, not halves of a head.
fn interleaved(numbers: &[f32], columns: usize) -> Vec<f32> {
    let head = WIDTH / HEADS;
    let row = |at: usize| {
        let (block, within) = (at / head, at % head);
        block * head + within / 2 + (within % 2) * (head / 2)
    };
    (0..numbers.len() / columns).flat_map(|at| numbers[row(at) * columns..][..columns].to_vec()).collect()
}

/// The same weights as a GGUF file, in 32-bit floats.
pub fn gguf(keys: &[(String, Gguf)], tensors: &[Tensor]) -> Vec<u8> {
    let mut out = b"GGUF".to_vec();
    out.extend(3u32.to_le_bytes());
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend((keys.len() as u64).to_le_bytes());
    for (key, value) in keys {
        text(&mut out, key);
        match value {
            Gguf::Text(value) => {
                out.extend(8u32.to_le_bytes());
                text(&mut out, value);
            }
            Gguf::Number(value) => {
                out.extend(4u32.to_le_bytes());
                out.extend(value.to_le_bytes());
            }
            Gguf::Float(value) => {
                out.extend(6u32.to_le_bytes());
                out.extend(value.to_le_bytes());
            }
            Gguf::Bool(value) => {
                out.extend(7u32.to_le_bytes());
                out.push(u8::from(*value));
            }
            Gguf::Texts(values) => {
                out.extend(9u32.to_le_bytes());
                out.extend(8u32.to_le_bytes());
                out.extend((values.len() as u64).to_le_bytes());
                values.iter().for_each(|value| text(&mut out, value));
            }
            Gguf::Numbers(values) => {
                out.extend(9u32.to_le_bytes());
                out.extend(5u32.to_le_bytes());
                out.extend((values.len() as u64).to_le_bytes());
                out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            }
        }
    }
    let mut data: Vec<u8> = Vec::new();
    for (name, shape, numbers) in tensors {
        let short = [
            ("model.embed_tokens", "token_embd"),
            ("model.norm", "output_norm"),
            ("model.layers.", "blk."),
            ("input_layernorm", "attn_norm"),
            ("post_attention_layernorm", "ffn_norm"),
            ("self_attn.q_proj", "attn_q"),
            ("self_attn.k_proj", "attn_k"),
            ("self_attn.v_proj", "attn_v"),
            ("self_attn.o_proj", "attn_output"),
            ("mlp.gate_proj", "ffn_gate"),
            ("mlp.up_proj", "ffn_up"),
            ("mlp.down_proj", "ffn_down"),
        ];
        text(&mut out, &short.iter().fold(name.clone(), |name, (long, short)| name.replace(long, short)));
        out.extend((shape.len() as u32).to_le_bytes());
        shape.iter().rev().for_each(|side| out.extend((*side as u64).to_le_bytes()));
        out.extend(0u32.to_le_bytes());
        data.resize(data.len().next_multiple_of(32), 0);
        out.extend((data.len() as u64).to_le_bytes());
        let turned = name.contains("q_proj") || name.contains("k_proj");
        let numbers = if turned { interleaved(numbers, shape[1]) } else { numbers.clone() };
        data.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    }
    out.resize(out.len().next_multiple_of(32), 0);
    out.extend(data);
    out
}
