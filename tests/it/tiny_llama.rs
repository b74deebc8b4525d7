//! Writes a model folder for tests: a Llama of two layers with random weights and a byte-level tokenizer.
//!
//! Invariants: the same folder every time; it answers in printable ASCII, one character a token, and never ends an
//! answer by itself, so that tests can count.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// Labels that are one token each.
pub const LABELS: [&str; 3] = ["<noir>", "<comedy>", "<dystopia>"];

/// Tokens of the vocabulary: the bytes, the labels and the end of text.
pub const VOCABULARY: usize = 256 + LABELS.len() + 1;

/// Tokens of prompt and answer together.
pub const CONTEXT: usize = 512;

const WIDTH: usize = 64;
const HEADS: usize = 2;
const INNER: usize = 128;
const LAYERS: usize = 2;

/// Writes the folder.
pub fn write(dir: &Path) {
    fs::write(dir.join("config.json"), config().to_string()).unwrap();
    fs::write(dir.join("tokenizer.json"), tokenizer().to_string()).unwrap();
    fs::write(dir.join("model.safetensors"), weights()).unwrap();
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

fn tokenizer() -> Value {
    let vocabulary: serde_json::Map<String, Value> =
        (0..=255u8).map(|byte| (letter(byte).to_string(), json!(byte))).collect();
    let added: Vec<Value> = LABELS
        .iter()
        .chain(&["<|endoftext|>"])
        .enumerate()
        .map(|(nth, content)| {
            json!({"id": 256 + nth, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                   "normalized": false, "special": true})
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

/// The weights as a safetensors file: the length of the header, the header, the numbers.
fn weights() -> Vec<u8> {
    let mut noise = Noise(1);
    let mut header = serde_json::Map::new();
    let mut data: Vec<u8> = Vec::new();
    let mut add = |name: String, shape: &[usize], value: &mut dyn FnMut(usize) -> f32| {
        let start = data.len();
        for at in 0..shape.iter().product() {
            data.extend(value(at).to_le_bytes());
        }
        header.insert(name, json!({"dtype": "F32", "shape": shape, "data_offsets": [start, data.len()]}));
    };
    add("model.embed_tokens.weight".into(), &[VOCABULARY, WIDTH], &mut |at| noise.next() * strength(at / WIDTH));
    for layer in 0..LAYERS {
        let name = |part: &str| format!("model.layers.{layer}.{part}.weight");
        let head = WIDTH / HEADS;
        add(name("input_layernorm"), &[WIDTH], &mut |_| 1.0);
        add(name("post_attention_layernorm"), &[WIDTH], &mut |_| 1.0);
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
    let header = Value::Object(header).to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.extend(data);
    file
}
