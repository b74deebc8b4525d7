#!/usr/bin/env python3
"""Trains "nano", a tiny Llama that reads a personalisation prompt and names a tag.

The prompts come from `logoscope synth --export-prompts FILE`: a header line with the
labels, then one JSON object a line with prompt, answer, arm, population and swap. The
target is always the response that was drawn; nothing here sees a mediator's answer.

    train.py tokenizer --prompts F --out DIR
    train.py train     --prompts F [--validation G] --out DIR --minutes M --seed S
    train.py export    --checkpoint DIR/best.npz --out MODEL
    train.py evaluate  --prompts G --model MODEL
    train.py tokens    --prompts G --model MODEL --n 20 --out FILE.json

Needs numpy, jax (CPU is enough), tokenizers and safetensors. The order of the data, the
start weights and every random choice follow from --seed; with --steps the whole run is
repeatable, with --minutes the number of steps follows from the speed of the machine.
"""

import argparse
import hashlib
import json
import math
import os
import re
import shutil
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

EOS = "<|endoftext|>"
ARMS = ["none", "local", "global", "mediated"]
SWAPS = [None, "local", "global"]
ROPE_THETA = 10000.0
NORM_EPS = 1e-5


# ---------------------------------------------------------------- prompts and files


def read_prompts(path):
    """The labels of the header and the list of rows."""
    with open(path, encoding="utf-8") as lines:
        header = json.loads(next(lines))
        rows = [json.loads(line) for line in lines if line.strip()]
    if "labels" not in header:
        sys.exit(f"{path}: the first line must be the header with \"labels\"")
    labels = header["labels"]
    known = set(labels)
    for number, row in enumerate(rows, 2):
        if row["answer"] not in known:
            sys.exit(f"{path}:{number}: the answer {row['answer']!r} is not a label")
        if row["arm"] not in ARMS:
            sys.exit(f"{path}:{number}: unknown arm {row['arm']!r}")
    return labels, rows


def replace_file(path, write):
    """Writes a file whole or not at all."""
    path = Path(path)
    partial = path.with_name(path.name + ".part")
    with open(partial, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def write_json(path, value, indent=2):
    text = json.dumps(value, indent=indent, ensure_ascii=False) + "\n"
    replace_file(path, lambda file: file.write(text.encode()))


# ---------------------------------------------------------------- tokenizer


def tokenizer_command(args):
    """A byte-level BPE in which every label is exactly one token."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    labels, rows = read_prompts(args.prompts)
    # Labels become tokens of their own, so no merge is spent on them.
    longest_first = sorted(labels, key=len, reverse=True)
    label_words = re.compile(r"\s*(?<!\w)(?:" + "|".join(map(re.escape, longest_first)) + r")(?!\w)")
    texts = [row["prompt"] for row in rows[: args.rows]]
    pieces = [piece for text in texts for piece in label_words.split(text) if piece]

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        pieces,
        trainers.BpeTrainer(
            vocab_size=args.vocabulary - len(labels),
            min_frequency=2,
            special_tokens=[EOS],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    # lstrip: " noir" and "noir" are the same token. single_word: "reaction" holds no "action".
    tokenizer.add_tokens(
        [
            AddedToken(label, single_word=True, lstrip=True, rstrip=False, normalized=False, special=False)
            for label in labels
        ]
    )

    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "tokenizer.json", json.loads(tokenizer.to_str()), indent=1)
    write_json(
        out / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": EOS,
            "eos_token": EOS,
            "add_bos_token": False,
            "add_prefix_space": False,
            "clean_up_tokenization_spaces": False,
            "model_max_length": args.max_positions,
        },
    )

    # Read back what was written and say how well it fits.
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    size = tokenizer.get_vocab_size(with_added_tokens=True)
    assert sorted(tokenizer.get_vocab(with_added_tokens=True).values()) == list(range(size))
    for label in labels:
        for text in (label, " " + label):
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            assert ids == [tokenizer.token_to_id(label)], (text, ids)
        inside = tokenizer.encode("x" + label, add_special_tokens=False).ids
        assert tokenizer.token_to_id(label) not in inside, label
    probe = "naïve 🦉 \t" + "".join(map(chr, range(33, 127)))
    assert tokenizer.decode(tokenizer.encode(probe, add_special_tokens=False).ids) == probe

    lengths = np.array([len(e.ids) for e in tokenizer.encode_batch(texts[:5000], add_special_tokens=False)])
    words = Counter(word for piece in pieces[:200000] for word in re.findall(r" ?[^\W\d_]+", piece))
    split = [(n, w) for w, n in words.items() if len(tokenizer.encode(w, add_special_tokens=False).ids) > 1]
    print(f"{size} tokens in all, {len(labels)} of them labels; {EOS} is {tokenizer.token_to_id(EOS)}")
    print(f"tokens a prompt: mean {lengths.mean():.1f}, median {np.median(lengths):.0f}, longest {lengths.max()}")
    print(
        f"{len(words)} words, {len(split)} of them more than one token"
        f" ({100 * sum(n for n, _ in split) / max(1, words.total()):.2f} % of all words in the text);"
        f" most frequent: {[w.strip() for _, w in sorted(split, reverse=True)[:12]]}"
    )


# ---------------------------------------------------------------- data as arrays


class Data:
    """Prompts as one flat array of token ids, kept on disk beside the checkpoint."""

    def __init__(self, prompts, model_folder, cache_folder):
        from tokenizers import Tokenizer

        path = Path(prompts).resolve()
        tokenizer_path = Path(model_folder) / "tokenizer.json"
        stat = path.stat()
        key = hashlib.sha256(tokenizer_path.read_bytes())
        key.update(f"{path} {stat.st_size} {stat.st_mtime_ns}".encode())
        cached = Path(cache_folder) / f"tokens-{key.hexdigest()[:16]}.npz"
        if not cached.exists():
            tokenizer = Tokenizer.from_file(str(tokenizer_path))
            labels, rows = read_prompts(path)
            encoded = []
            for start in range(0, len(rows), 4096):
                batch = [row["prompt"] for row in rows[start : start + 4096]]
                encoded += [
                    np.array(e.ids, np.uint16) for e in tokenizer.encode_batch(batch, add_special_tokens=False)
                ]
            arrays = {
                "ids": np.concatenate(encoded),
                "offsets": np.cumsum([0] + [len(ids) for ids in encoded]).astype(np.int64),
                "answer": np.array([tokenizer.token_to_id(row["answer"]) for row in rows], np.int32),
                "arm": np.array([ARMS.index(row["arm"]) for row in rows], np.int8),
                "swap": np.array([SWAPS.index(row.get("swap")) for row in rows], np.int8),
                "population": np.array([row["population"] for row in rows], np.int64),
                "labels": np.array([tokenizer.token_to_id(label) for label in labels], np.int32),
                "shape": np.array([tokenizer.get_vocab_size(with_added_tokens=True), tokenizer.token_to_id(EOS)]),
            }
            Path(cache_folder).mkdir(parents=True, exist_ok=True)
            replace_file(cached, lambda file: np.savez(file, **arrays))
        with np.load(cached) as arrays:
            for name in arrays.files:
                setattr(self, name, arrays[name])
        self.vocabulary, self.eos = (int(value) for value in self.shape)
        self.length = np.diff(self.offsets)

    def __len__(self):
        return len(self.answer)

    def sequence(self, row):
        return self.ids[self.offsets[row] : self.offsets[row + 1]]


def bucket(length, multiple):
    """Sequences are padded to a multiple, so that few shapes are compiled."""
    return -(-length // multiple) * multiple


def make_batch(data, rows, rng, settings, width=None):
    """Token ids, the positions at which the model must answer, their targets and weights.

    Column 0 of the positions is the end of the prompt (target: the answer), column 1 the
    answer itself (target: the end of text), the rest are sampled for the language-model
    loss, half of them in front of labels, as those are what a prompt has to teach.
    Padding stands behind everything that is asked, so causal attention needs no mask for it.
    """
    lm = settings["lm_positions"]
    longest = int(data.length[rows].max()) + 1
    width = width or bucket(longest, settings["bucket"])
    tokens = np.full((len(rows), width), data.eos, np.int32)
    positions = np.zeros((len(rows), 2 + lm), np.int32)
    targets = np.full((len(rows), 2 + lm), data.eos, np.int32)
    is_label = np.zeros(data.vocabulary, bool)
    is_label[data.labels] = True
    for i, row in enumerate(rows):
        ids = data.sequence(row).astype(np.int32)
        answer = data.answer[row]
        if rng is not None and rng.random() < settings["permute"]:
            # Labels change their names in the prompt and in the target alike, which only
            # leaves an answer to those that read.
            names = np.arange(data.vocabulary)
            names[data.labels] = rng.permutation(data.labels)
            ids, answer = names[ids], names[answer]
        n = len(ids)
        tokens[i, :n] = ids
        tokens[i, n] = answer
        positions[i, :2] = n - 1, n
        targets[i, 0] = answer
        if lm:
            at = rng.integers(0, n - 1, lm) if rng is not None else np.arange(lm) % (n - 1)
            before_label = np.flatnonzero(is_label[ids[1:]])
            if rng is not None and len(before_label):
                at[: lm // 2] = rng.choice(before_label, lm // 2)
            positions[i, 2:] = at
            targets[i, 2:] = ids[at + 1]
    return tokens, positions, targets


def epoch_batches(data, rows, seed, epoch, size):
    """Batches of similar lengths in random order; the same for the same seed and epoch."""
    rng = np.random.default_rng([seed, 1, epoch])
    rows = rng.permutation(rows)
    batches = []
    for start in range(0, len(rows), size * 64):
        part = rows[start : start + size * 64]
        part = part[np.argsort(data.length[part], kind="stable")]
        batches += [part[i : i + size] for i in range(0, len(part) - size + 1, size)]
    return [batches[i] for i in rng.permutation(len(batches))]


# ---------------------------------------------------------------- the model for training


def start_weights(shape, seed):
    """Weights as (inputs, outputs); q, k, v and gate, up are kept fused."""
    rng = np.random.default_rng([seed, 0])
    d, f = shape["hidden"], shape["ffn"]

    def normal(rows, columns, deviation):
        return rng.normal(0.0, deviation, (rows, columns)).astype(np.float32)

    weights = {"embed": normal(shape["vocabulary"], d, 0.05), "norm": np.ones(d, np.float32)}
    quiet = 0.2 / math.sqrt(2 * shape["layers"])
    for layer in range(shape["layers"]):
        weights[f"{layer}.attn_norm"] = np.ones(d, np.float32)
        weights[f"{layer}.qkv"] = normal(d, 3 * d, d**-0.5)
        weights[f"{layer}.o"] = normal(d, d, quiet * d**-0.5)
        weights[f"{layer}.mlp_norm"] = np.ones(d, np.float32)
        weights[f"{layer}.gate_up"] = normal(d, 2 * f, d**-0.5)
        weights[f"{layer}.down"] = normal(f, d, quiet * f**-0.5)
    return weights


def rope_tables(length, head_dim):
    """cos and sin of the half-split ("rotate_half") layout, each (length, head_dim)."""
    frequency = ROPE_THETA ** (-np.arange(0, head_dim, 2) / head_dim)
    angle = np.arange(length)[:, None] * frequency[None, :]
    angle = np.concatenate([angle, angle], axis=1)
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def make_forward(shape):
    """The hidden states at the positions asked for, (batch, positions, hidden)."""
    import jax
    import jax.numpy as jnp

    d, heads = shape["hidden"], shape["heads"]
    head_dim = d // heads
    def normed(x, scale):
        return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + NORM_EPS) * scale

    def rotated(x, cos, sin):
        left, right = jnp.split(x, 2, axis=-1)
        return x * cos + jnp.concatenate([-right, left], axis=-1) * sin

    def split_heads(x):
        return x.reshape(x.shape[0], x.shape[1], heads, head_dim).transpose(0, 2, 1, 3)

    def forward(weights, tokens, positions):
        batch, length = tokens.shape
        cos, sin = (jnp.asarray(table) for table in rope_tables(length, head_dim))
        # Rows are picked by a product with 0/1, which is faster than scatter going back.
        pick = (positions[:, :, None] == jnp.arange(length)[None, None, :]).astype(jnp.float32)
        x = weights["embed"][tokens]
        for layer in range(shape["layers"]):
            get = lambda name: weights[f"{layer}.{name}"]
            h = normed(x, get("attn_norm"))
            if layer < shape["layers"] - 1:
                q, k, v = (split_heads(part) for part in jnp.split(h @ get("qkv"), 3, axis=-1))
                q = rotated(q, cos, sin)
                allowed = (jnp.arange(length)[:, None] >= jnp.arange(length)[None, :])[None, None]
            else:
                # Behind the last keys and values only the positions asked for matter.
                k, v = (split_heads(part) for part in jnp.split(h @ get("qkv")[:, d:], 2, axis=-1))
                q = split_heads(pick @ h @ get("qkv")[:, :d])
                q = rotated(q, (pick @ cos)[:, None], (pick @ sin)[:, None])
                allowed = (positions[:, :, None] >= jnp.arange(length)[None, None, :])[:, None]
                x = pick @ x
            k = rotated(k, cos, sin)
            scores = (q * head_dim**-0.5) @ k.swapaxes(2, 3)
            shares = jax.nn.softmax(jnp.where(allowed, scores, -1e9), axis=-1)
            mixed = (shares @ v).transpose(0, 2, 1, 3)
            x = x + mixed.reshape(batch, -1, d) @ get("o")
            gate, up = jnp.split(normed(x, get("mlp_norm")) @ get("gate_up"), 2, axis=-1)
            x = x + (jax.nn.silu(gate) * up) @ get("down")
        return normed(x, weights["norm"])

    return forward


def make_loss(shape, lm_weight):
    import jax
    import jax.numpy as jnp

    forward = make_forward(shape)

    def loss(weights, tokens, positions, targets):
        hidden = forward(weights, tokens, positions)
        logits = hidden @ weights["embed"].T
        wanted = targets[:, :, None] == jnp.arange(shape["vocabulary"])[None, None, :]
        nll = jax.nn.logsumexp(logits, axis=-1) - jnp.sum(jnp.where(wanted, logits, 0.0), axis=-1)
        answer = nll[:, 0].mean()
        total = answer + 0.05 * nll[:, 1].mean()
        lm = nll[:, 2:].mean() if positions.shape[1] > 2 else jnp.float32(0)
        return total + lm_weight * lm, (answer, lm)

    return loss


def make_step(shape, settings):
    """One step of AdamW, or of Muon for the matrices inside the layers."""
    import jax
    import jax.numpy as jnp

    gradient = jax.value_and_grad(make_loss(shape, settings["lm_weight"]), has_aux=True)
    b1, b2, decay = 0.9, 0.95, settings["decay"]
    parts = {"qkv": 3, "gate_up": 2}

    def orthogonal(update, count):
        """Newton-Schulz iteration on each of `count` fused matrices."""
        rows, columns = update.shape
        x = update.reshape(rows, count, columns // count).transpose(1, 0, 2)
        tall = x.shape[1] > x.shape[2]
        x = x.transpose(0, 2, 1) if tall else x
        x = x / (jnp.sqrt(jnp.sum(x * x, axis=(1, 2), keepdims=True)) + 1e-7)
        for _ in range(5):
            square = x @ x.transpose(0, 2, 1)
            x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
        x = x.transpose(0, 2, 1) if tall else x
        # The size of an AdamW step, so that one learning rate serves both.
        return (0.2 * math.sqrt(max(x.shape[1:])) * x.transpose(1, 0, 2)).reshape(rows, columns)

    def step(state, tokens, positions, targets, rate, number):
        weights, first, second = state
        (_, (answer, lm)), grads = gradient(weights, tokens, positions, targets)
        norm = jnp.sqrt(sum(jnp.sum(g * g) for g in grads.values()))
        clip = jnp.minimum(1.0, 1.0 / (norm + 1e-6))
        new_weights, new_first, new_second = {}, {}, {}
        for name, weight in weights.items():
            g = grads[name] * clip
            inner = weight.ndim == 2 and name != "embed"
            if inner and settings["optimizer"] == "muon":
                m = 0.95 * first[name] + g
                new_first[name], new_second[name] = m, second[name]
                update = orthogonal(g + 0.95 * m, parts.get(name.split(".")[1], 1))
            else:
                m = b1 * first[name] + (1 - b1) * g
                v = b2 * second[name] + (1 - b2) * g * g
                new_first[name], new_second[name] = m, v
                update = (m / (1 - b1**number)) / (jnp.sqrt(v / (1 - b2**number)) + 1e-8)
            if inner:
                update = update + decay * weight
            new_weights[name] = weight - rate * update
        return (new_weights, new_first, new_second), jnp.stack([answer, lm, norm])

    return jax.jit(step, donate_argnums=0)


def make_answers(shape):
    """Log-softmax over the whole vocabulary at the end of the prompt."""
    import jax

    forward = make_forward(shape)
    return jax.jit(lambda w, tokens, positions: jax.nn.log_softmax(forward(w, tokens, positions)[:, 0] @ w["embed"].T))


# ---------------------------------------------------------------- training


def save_checkpoint(path, about, groups):
    arrays = {f"{group}/{name}": np.asarray(a) for group, values in groups.items() for name, a in values.items()}
    arrays["about"] = np.array(json.dumps(about))
    replace_file(path, lambda file: np.savez(file, **arrays))


def load_checkpoint(path):
    groups = {}
    with np.load(path) as arrays:
        about = json.loads(str(arrays["about"]))
        for key in arrays.files:
            if "/" in key:
                group, name = key.split("/", 1)
                groups.setdefault(group, {})[name] = arrays[key]
    return about, groups


def split_rows(data, share, seed):
    """Whole populations are held out when there is no file of validation prompts."""
    populations = np.unique(data.population)
    count = max(1, round(share * len(populations)))
    held = np.random.default_rng([seed, 3]).choice(populations, count, replace=False)
    mask = np.isin(data.population, held)
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def validate(answers, weights, data, rows, settings):
    """Answer loss over all rows, and the accuracy of each arm among the labels."""
    plain = {**settings, "lm_positions": 0}
    rows = rows[np.argsort(data.length[rows], kind="stable")]
    losses, right = np.zeros(len(rows)), np.zeros(len(rows), bool)
    for start in range(0, len(rows), 64):
        part = rows[start : start + 64]
        padded = np.concatenate([part, np.repeat(part[-1:], 64 - len(part))])
        tokens, positions, _ = make_batch(data, padded, None, plain)
        scores = np.asarray(answers(weights, tokens, positions[:, :1]))[: len(part)]
        losses[start : start + 64] = -scores[np.arange(len(part)), data.answer[part]]
        right[start : start + 64] = data.labels[scores[:, data.labels].argmax(1)] == data.answer[part]
    arms = {arm: right[data.arm[rows] == i].mean() for i, arm in enumerate(ARMS) if (data.arm[rows] == i).any()}
    return losses.mean(), arms


def train_command(args):
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    import jax

    jax.config.update("jax_compilation_cache_dir", str((out / "compiled").resolve()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)

    tokenizer_folder = Path(args.tokenizer or args.out)
    if tokenizer_folder.resolve() != out.resolve():
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(tokenizer_folder / name, out / name)
    data = Data(args.prompts, out, out)
    if args.validation:
        held, held_rows = Data(args.validation, out, out), None
        rows, held_rows = np.arange(len(data)), np.flatnonzero(held.swap == 0)
    else:
        held = data
        rows, held_rows = split_rows(data, 0.05, args.seed)
        held_rows = held_rows[held.swap[held_rows] == 0]
    if args.rows:
        rows = rows[: args.rows]
    held_rows = np.random.default_rng([args.seed, 4]).permutation(held_rows)[: args.validation_rows]

    shape = {
        "vocabulary": data.vocabulary,
        "eos": data.eos,
        "hidden": args.hidden,
        "layers": args.layers,
        "heads": args.heads,
        "ffn": args.ffn,
        "max_positions": args.max_positions,
    }
    settings = {
        "bucket": args.bucket,
        "lm_positions": args.lm_positions if args.lm_weight > 0 else 0,
        "lm_weight": args.lm_weight,
        "permute": args.permute,
        "decay": args.decay,
        "optimizer": args.optimizer,
    }
    longest = max(int(data.length[rows].max()), int(held.length[held_rows].max())) + 1
    if longest > args.max_positions:
        sys.exit(f"a prompt has {longest} tokens, more than --max-positions")

    # "place" runs from 0 to 1 over the whole training and fixes the learning rate.
    step, epoch, index, place, elapsed, best = 0, 0, 0, 0.0, 0.0, math.inf
    last = out / "last.npz"
    if last.exists() and not args.fresh:
        about, groups = load_checkpoint(last)
        if about["shape"] != shape or about["seed"] != args.seed or about["batch"] != args.batch:
            sys.exit(f"{last} is of another model, seed or batch size: use --fresh or another --out")
        step, epoch, index, place, elapsed, best = (
            about[name] for name in ("step", "epoch", "index", "place", "elapsed", "best")
        )
        state = tuple(groups[name] for name in ("weights", "first", "second"))
        print(f"resumed at step {step}, {100 * place:.1f} % of the plan", flush=True)
    else:
        weights = start_weights(shape, args.seed)
        if args.init:
            about, groups = load_checkpoint(args.init)
            if about["shape"] != shape:
                sys.exit(f"{args.init} is of another shape or vocabulary")
            weights = groups["weights"]
        state = (weights, *({name: np.zeros_like(w) for name, w in weights.items()} for _ in range(2)))
    state = jax.tree.map(jax.numpy.array, state)

    size = sum(w.size for w in state[0].values())
    print(
        f"{size / 1e6:.2f} M parameters ({4 * size / 1e6:.1f} MB), {len(rows)} rows of {data.length[rows].mean():.0f}"
        f" tokens, {len(held_rows)} held out, {len(os.sched_getaffinity(0))} cores, {args.optimizer}",
        flush=True,
    )
    train_step, answers = make_step(shape, settings), make_answers(shape)

    def save(path, groups):
        about = {
            "shape": shape, "settings": settings, "seed": args.seed, "batch": args.batch, "step": step,
            "epoch": epoch, "index": index, "place": place, "elapsed": elapsed, "best": best,
        }  # fmt: skip
        save_checkpoint(path, about, groups)

    def save_last():
        save(last, dict(zip(("weights", "first", "second"), state)))

    def check():
        nonlocal best
        loss, arms = validate(answers, state[0], held, held_rows, settings)
        kept = loss < best
        if kept:
            best = float(loss)
            save(out / "best.npz", {"weights": state[0]})
        shown = " ".join(f"{arm} {value:.3f}" for arm, value in arms.items())
        print(f"  held out: loss {loss:.4f} {shown}{' (best)' if kept else ''}", flush=True)

    budget = 60.0 * args.minutes
    begun = time.monotonic() - elapsed
    finish = budget * 0.99 - 2
    batches = epoch_batches(data, rows, args.seed, epoch, args.batch)
    pace, seen_widths = None, set()  # seconds a step, smoothed, and shapes already compiled
    sums, tokens_done, since = np.zeros(3), 0, time.monotonic()
    last_check = last_save = time.monotonic()
    check_cost, pending = 0.0, []

    def collect():
        for result in pending:
            sums[:] += np.asarray(result)
        pending.clear()

    while place < 1.0 and (not args.stop_after or step < args.stop_after):
        if index >= len(batches):
            epoch, index = epoch + 1, 0
            batches = epoch_batches(data, rows, args.seed, epoch, args.batch)
        began = time.monotonic()
        rng = np.random.default_rng([args.seed, 2, step])
        tokens, positions, targets = make_batch(data, batches[index], rng, settings)

        # Steps that are left: given, or as many as the measured pace has room for.
        if args.steps:
            place = step / args.steps
        else:
            rest = finish - (began - begun) - check_cost
            left = max(1.0, rest / pace) if pace else 1e5
        warm = min(1.0, (step + 1) / args.warmup)
        rate = args.rate * warm * (args.floor + (1 - args.floor) * 0.5 * (1 + math.cos(math.pi * place)))
        compiled = tokens.shape in seen_widths
        seen_widths.add(tokens.shape)
        state, result = train_step(
            state, tokens, positions, targets, np.float32(rate), np.float32(step + 1)
        )
        pending.append(result)
        if len(pending) >= 2:
            # One step stays in flight while the next batch is made.
            sums += np.asarray(pending.pop(0))
        step, index = step + 1, index + 1
        place = step / args.steps if args.steps else min(1.0, place + (1 - place) / left)
        now = time.monotonic()
        if compiled:
            pace = now - began if pace is None else pace + (now - began - pace) / min(200, step)
        tokens_done += int(data.length[batches[index - 1]].sum()) + args.batch
        elapsed = now - begun

        if step % args.log_every == 0:
            collect()
            mean, took = sums / args.log_every, time.monotonic() - since
            eta = (args.steps - step) * pace if args.steps and pace else finish - elapsed
            print(
                f"step {step} ({100 * place:.1f} %) answer {mean[0]:.4f} lm {mean[1]:.3f} norm {mean[2]:.2f}"
                f" rate {rate:.2e} {args.log_every / took:.2f} steps/s {tokens_done / took:.0f} tokens/s"
                f" elapsed {elapsed / 60:.1f} min, {max(0.0, eta) / 60:.1f} min left",
                flush=True,
            )
            sums, tokens_done, since = np.zeros(3), 0, time.monotonic()
            if not np.isfinite(mean).all():
                sys.exit("the loss is no longer finite")
        due = step % args.check_every == 0 if args.check_every else now - last_check > max(30, budget / 20)
        if due or place >= 1.0:
            started = time.monotonic()
            collect()
            check()
            check_cost = time.monotonic() - started
            since += check_cost
            last_check = time.monotonic()
        if now - last_save > args.save_seconds or place >= 1.0:
            save_last()
            last_save = time.monotonic()
    collect()
    elapsed = time.monotonic() - begun
    save_last()
    print(f"done: {step} steps in {elapsed / 60:.1f} min, best held-out answer loss {best:.4f}")


# ---------------------------------------------------------------- export


def export_command(args):
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer

    about, groups = load_checkpoint(args.checkpoint)
    shape, weights = about["shape"], groups["weights"]
    d = shape["hidden"]
    tensors = {"model.embed_tokens.weight": weights["embed"], "model.norm.weight": weights["norm"]}
    for layer in range(shape["layers"]):
        get = lambda name: weights[f"{layer}.{name}"]
        prefix = f"model.layers.{layer}."
        q, k, v = np.split(get("qkv"), 3, axis=1)
        gate, up = np.split(get("gate_up"), 2, axis=1)
        for name, weight in (
            ("self_attn.q_proj", q), ("self_attn.k_proj", k), ("self_attn.v_proj", v), ("self_attn.o_proj", get("o")),
            ("mlp.gate_proj", gate), ("mlp.up_proj", up), ("mlp.down_proj", get("down")),
        ):  # fmt: skip
            tensors[f"{prefix}{name}.weight"] = weight.T
        tensors[f"{prefix}input_layernorm.weight"] = get("attn_norm")
        tensors[f"{prefix}post_attention_layernorm.weight"] = get("mlp_norm")

    size = sum(t.size for t in tensors.values())
    kind = args.dtype or ("float32" if 4 * size <= 8_000_000 else "float16")
    tensors = {name: np.ascontiguousarray(t, dtype=kind) for name, t in tensors.items()}
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    source = Path(args.checkpoint).parent
    if source.resolve() != out.resolve():
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(source / name, out / name)
    vocabulary = Tokenizer.from_file(str(out / "tokenizer.json")).get_vocab_size(with_added_tokens=True)
    assert vocabulary == shape["vocabulary"], "the tokenizer is not the one of the checkpoint"

    partial = out / "model.safetensors.part"
    save_file(tensors, str(partial), metadata={"format": "pt"})
    partial.chmod(0o644)
    os.replace(partial, out / "model.safetensors")
    write_json(
        out / "config.json",
        {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_act": "silu",
            "hidden_size": d,
            "intermediate_size": shape["ffn"],
            "vocab_size": vocabulary,
            "num_hidden_layers": shape["layers"],
            "num_attention_heads": shape["heads"],
            "num_key_value_heads": shape["heads"],
            "head_dim": d // shape["heads"],
            "rms_norm_eps": NORM_EPS,
            "rope_theta": ROPE_THETA,
            "max_position_embeddings": shape["max_positions"],
            "attention_bias": False,
            "mlp_bias": False,
            "tie_word_embeddings": True,
            "bos_token_id": shape["eos"],
            "eos_token_id": shape["eos"],
            "torch_dtype": kind,
        },
    )
    write_json(
        out / "generation_config.json",
        {"bos_token_id": shape["eos"], "eos_token_id": shape["eos"], "max_new_tokens": 8},
    )
    print(f"{len(tensors)} tensors, {size} parameters, {kind}, step {about['step']}, held-out loss {about['best']:.4f}")
    for path in sorted(out.iterdir()):
        if path.suffix in (".json", ".safetensors"):
            print(f"  {path.name} {path.stat().st_size} bytes")

    # The exported files through the other forward pass must say what the checkpoint says.
    model = Exported(out)
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, vocabulary, (3, 48))
    ends = np.array([47, 20, 33])
    wanted = np.asarray(make_answers(shape)(weights, tokens.astype(np.int32), ends[:, None].astype(np.int32)))
    worst = np.abs(model.log_probabilities(tokens, ends) - wanted).max()
    print(f"largest difference to the checkpoint's log-probabilities: {worst:.1e}")
    assert worst < (1e-3 if kind == "float32" else 0.1)


# ---------------------------------------------------------------- evaluation


class Exported:
    """Reads the exported folder and runs it with plain numpy, as a second opinion."""

    def __init__(self, folder):
        from safetensors.numpy import load_file

        self.config = json.loads((Path(folder) / "config.json").read_text())
        self.tensors = {
            name: t.astype(np.float32) for name, t in load_file(str(Path(folder) / "model.safetensors")).items()
        }

    def log_probabilities(self, tokens, ends):
        """Log-softmax over the vocabulary after position ends[i] of each row of tokens."""
        config, tensors = self.config, self.tensors
        heads, d = config["num_attention_heads"], config["hidden_size"]
        head_dim, (batch, length) = d // heads, tokens.shape

        def norm(x, name):
            return x / np.sqrt((x * x).mean(-1, keepdims=True) + config["rms_norm_eps"]) * tensors[name + ".weight"]

        def linear(x, name):
            return x @ tensors[name + ".weight"].T

        frequency = 1.0 / config["rope_theta"] ** (np.arange(0, head_dim, 2, dtype=np.float64) / head_dim)
        angle = np.outer(np.arange(length), frequency)
        cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)

        def rope(x):
            a, b = x[..., : head_dim // 2], x[..., head_dim // 2 :]
            return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)

        def heads_of(x):
            return x.reshape(batch, length, heads, head_dim).swapaxes(1, 2)

        future = np.triu(np.full((length, length), -np.inf, np.float32), 1)
        x = tensors["model.embed_tokens.weight"][tokens]
        for layer in range(config["num_hidden_layers"]):
            at = f"model.layers.{layer}."
            h = norm(x, at + "input_layernorm")
            q = rope(heads_of(linear(h, at + "self_attn.q_proj")))
            k = rope(heads_of(linear(h, at + "self_attn.k_proj")))
            v = heads_of(linear(h, at + "self_attn.v_proj"))
            scores = q @ k.swapaxes(2, 3) / np.float32(math.sqrt(head_dim)) + future
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            mixed = (scores / scores.sum(-1, keepdims=True)) @ v
            x = x + linear(mixed.swapaxes(1, 2).reshape(batch, length, d), at + "self_attn.o_proj")
            h = norm(x, at + "post_attention_layernorm")
            gate = linear(h, at + "mlp.gate_proj")
            x = x + linear(gate / (1 + np.exp(-gate)) * linear(h, at + "mlp.up_proj"), at + "mlp.down_proj")
        logits = norm(x[np.arange(batch), ends], "model.norm") @ tensors["model.embed_tokens.weight"].T
        logits -= logits.max(-1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def wilson(hits, n, z=1.959964):
    if n == 0:
        return 0.0, 1.0
    share, extra = hits / n, z * z / n
    middle = (share + extra / 2) / (1 + extra)
    reach = z * math.sqrt(share * (1 - share) / n + extra / (4 * n)) / (1 + extra)
    return middle - reach, middle + reach


def calibration_error(confidence, right, bins=15):
    """Expected calibration error with bins of equal width."""
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    return sum(
        (which == b).mean() * abs(confidence[which == b].mean() - right[which == b].mean())
        for b in range(bins)
        if (which == b).any()
    )


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def mcnemar(better, worse):
    """Two-sided exact test of discordant pairs (normal with correction when many)."""
    n = better + worse
    if n == 0:
        return 1.0
    if n > 1000:
        return math.erfc(max(0, abs(better - worse) - 1) / math.sqrt(2 * n))
    tail = sum(math.comb(n, i) for i in range(min(better, worse) + 1)) / 2**n
    return min(1.0, 2 * tail)


def by_person(values, people, weights=None):
    """Mean of values and half its 95 % interval; the answers of one person are not independent."""
    values, weights = np.asarray(values, float), np.ones(len(values)) if weights is None else weights
    total = weights.sum()
    if total == 0:
        return math.nan, math.nan
    mean = (weights * values).sum() / total
    sums = np.bincount(people, weights * (values - mean), minlength=people.max() + 1)
    return float(mean), float(1.96 * math.sqrt((sums**2).sum()) / total)


def slope_by_person(x, y, people):
    """Slope through the origin of y on x, rows being queries, and half its 95 % interval by person."""
    squares = (x * x).sum()
    if squares == 0:
        return math.nan, math.nan
    slope = (x * y).sum() / squares
    sums = np.bincount(people, (x * (y - slope * x)).sum(1), minlength=people.max() + 1)
    return float(slope), float(1.96 * math.sqrt((sums**2).sum()) / squares)


def ratio_by_person(top, bottom, people, rng, draws=2000):
    """Sum of top / sum of bottom - 1 with the 95 % interval of a bootstrap by person."""
    count = people.max() + 1
    sums = [np.bincount(people, values, minlength=count) for values in (top, bottom)]
    there = np.flatnonzero(np.bincount(people, minlength=count))
    picks = rng.choice(there, (draws, len(there)))
    tops, bottoms = (values[picks].sum(1) for values in sums)
    low, high = np.percentile(tops / np.maximum(bottoms, 1e-9) - 1, [2.5, 97.5])
    return float(sums[0].sum() / max(sums[1].sum(), 1e-9) - 1), float(low), float(high)


def best_of(p, answer):
    """Whether the most probable label is the answer; a tie of m counts 1/m."""
    best = p >= p.max(1, keepdims=True) - 1e-9
    return best[np.arange(len(p)), answer] / best.sum(1)


def proof(labels, rows, restricted):
    """What issue "does it read?" asks of an export with a reference: printed and returned."""
    guess = restricted.argmax(1)
    answer = np.array([labels.index(row["answer"]) for row in rows])
    right = (guess == answer).astype(float)
    names = {}
    people = np.array([names.setdefault((r["population"], r["user"]), len(names)) for r in rows])
    index = {(r["population"], r["asked"], r["arm"], r.get("control")): i for i, r in enumerate(rows)}
    reference = {
        kind: {i: np.array(r["bayes"][kind]) for i, r in enumerate(rows) if kind in r.get("bayes", {})}
        for kind in ("printed", "whole")
    }

    def base(arm):
        return np.array([i for i, r in enumerate(rows) if r["arm"] == arm and r.get("control") is None], int)

    def pairs(control, arm):
        found = [(i, index.get((r["population"], r["asked"], arm, None)))
                 for i, r in enumerate(rows) if r.get("control") == control and r["arm"] == arm]  # fmt: skip
        return np.array([pair for pair in found if pair[1] is not None], int).reshape(-1, 2)

    out = {"arms": {}, "slopes": {}, "shares": {}, "few": {}, "biased": {}}
    errors = np.array([r["bayes"]["error"] for r in rows if r.get("bayes")])
    out["reference_error"] = {"mean": float(errors.mean()), "largest": float(errors.max())}
    print("\nregret to exact Bayes inference, points (reference: of the printed memories, of all of memory)")
    print(f"Monte Carlo standard error of a reference probability: mean {errors.mean():.4f}, largest {errors.max():.4f}")
    print(f"{'arm':<10}{'n':>6}{'accuracy':>16}{'log-loss':>9}{'ECE':>7}  "
          + "".join(f"{kind:>9}{'regret':>14}{'expected':>14}{'log-loss':>9}{'ECE':>7}  " for kind in reference))  # fmt: skip
    for arm in ARMS:
        at = base(arm)
        if len(at) == 0:
            continue
        mean, reach = by_person(right[at], people[at])
        loss = float(-restricted[at, answer[at]].mean())
        ece = calibration_error(np.exp(restricted[at].max(1)), right[at])
        entry = {"n": len(at), "accuracy": mean, "reach": reach, "log_loss": loss, "ece": float(ece)}
        line = f"{arm:<10}{len(at):>6}{f'{100 * mean:.1f} ± {100 * reach:.1f}':>16}{loss:>9.3f}{ece:>7.3f}  "
        for kind, known in reference.items():
            if not all(i in known for i in at):
                continue
            p = np.array([known[i] for i in at])
            best = best_of(p, answer[at])
            regret, regret_reach = by_person(best - right[at], people[at])
            expected, expected_reach = by_person(p.max(1) - p[np.arange(len(at)), guess[at]], people[at])
            bayes_loss = float(-np.log(p[np.arange(len(at)), answer[at]]).mean())
            bayes_ece = float(calibration_error(p.max(1), best))
            entry[kind] = {
                "accuracy": float(best.mean()), "regret": regret, "regret_reach": regret_reach,
                "expected_regret": expected, "expected_reach": expected_reach, "log_loss": bayes_loss, "ece": bayes_ece,
            }  # fmt: skip
            line += (f"{100 * best.mean():>9.1f}{f'{100 * regret:+.1f} ± {100 * regret_reach:.1f}':>14}"
                     f"{f'{100 * expected:+.1f} ± {100 * expected_reach:.1f}':>14}{bayes_loss:>9.3f}{bayes_ece:>7.3f}  ")  # fmt: skip
        out["arms"][arm] = entry
        print(line)

    print("\nhow the log-odds of fitting labels move against those of Bayes (slope 1: as they should)")
    for control, arm in [("swap-global", "global"), ("swap-global", "mediated"), ("flip", "local"),
                         ("flip", "mediated"), ("age", "local"), ("age", "mediated")]:  # fmt: skip
        known = reference["printed"]
        both = np.array([(i, j) for i, j in pairs(control, arm) if i in known and j in known], int).reshape(-1, 2)
        if len(both) == 0:
            continue
        x, y = np.zeros((len(both), len(labels))), np.zeros((len(both), len(labels)))
        for row, (i, j) in enumerate(both):
            fits = known[j] > 0
            for changes, move in ((x, np.log(known[i][fits]) - np.log(known[j][fits])),
                                  (y, restricted[i][fits] - restricted[j][fits])):  # fmt: skip
                changes[row, fits] = move - move.mean()
        slope, reach = slope_by_person(x, y, people[both[:, 0]])
        size = [float(np.sqrt((v * v).sum(1)).mean()) for v in (x, y)]
        changed = float((guess[both[:, 0]] != guess[both[:, 1]]).mean())
        out["slopes"][f"{control}, {arm}"] = {
            "n": len(both), "slope": slope, "reach": reach, "moved_by_bayes": size[0], "moved": size[1],
            "correlation": float((x * y).sum() / max(np.sqrt((x * x).sum() * (y * y).sum()), 1e-12)), "changed": changed,
        }  # fmt: skip
        print(f"{control + ', ' + arm:<24}n {len(both):>5}  slope {slope:.2f} ± {reach:.2f}, correlation"
              f" {out['slopes'][f'{control}, {arm}']['correlation']:.2f}; mean length of the move: Bayes {size[0]:.2f},"
              f" model {size[1]:.2f}; answers changed {100 * changed:.1f} %")  # fmt: skip

    print("\nshares of answers, %")
    for control in ("permute", "permute-theme", "order", "text"):
        for arm in ARMS[1:]:
            both = pairs(control, arm)
            if len(both) == 0:
                continue
            i, j = both[:, 0], both[:, 1]
            if control.startswith("permute"):
                expected = np.array([rows[a]["permutation"][guess[b]] for a, b in both])
                held, what = guess[i] == expected, "follow the names"
                blocks = [rows[b]["prompt"].split("\n", 1)[1] for b in j]
                named = [re.search(rf"(?<![\w-]){re.escape(labels[guess[b]])} (?:\d|\|)", text) is not None
                         for b, text in zip(j, blocks)]  # fmt: skip
                read = by_person(held, people[i], np.array(named, float))
                extra = f"; of {sum(named)} whose answer the memories name {100 * read[0]:.1f} ± {100 * read[1]:.1f}"
            else:
                held, what, extra = guess[i] != guess[j], "change", ""
            share, reach = by_person(held, people[i])
            out["shares"][f"{control}, {arm}"] = {"n": len(both), "share": share, "reach": reach}
            if extra:
                out["shares"][f"{control}, {arm}"]["named"] = {"n": int(sum(named)), "share": read[0], "reach": read[1]}
            print(f"{control + ', ' + arm:<24}n {len(both):>5}  {100 * share:.1f} ± {100 * reach:.1f} {what}{extra}")

    print("\nfew visible items: mediated against local")
    rng = np.random.default_rng(0)
    visible = np.array([row["visible"] for row in rows])
    local = base("local")
    mediated = np.array([index[rows[i]["population"], rows[i]["asked"], "mediated", None] for i in local], int)
    for low, high in ((0, 0), (1, 5), (0, 5), (6, 20), (21, 10**9)):
        mask = (visible[local] >= low) & (visible[local] <= high)
        if not mask.any():
            continue
        a, b, who = local[mask], mediated[mask], people[local[mask]]
        gain, least, most = ratio_by_person(right[b], right[a], who, rng)
        difference, reach = by_person(right[b] - right[a], who)
        entry = {"n": len(a), "local": float(right[a].mean()), "mediated": float(right[b].mean()),
                 "difference": difference, "reach": reach, "gain": gain, "interval": [least, most]}  # fmt: skip
        ceilings = []
        for kind, known in reference.items():
            one, two = (best_of(np.array([known[i] for i in part]), answer[part]) for part in (a, b))
            bayes_gain = float(two.sum() / max(one.sum(), 1e-9) - 1)
            entry[f"bayes_{kind}"] = {"local": float(one.mean()), "mediated": float(two.mean()), "gain": bayes_gain}
            ceilings.append(f"{kind} {100 * one.mean():.1f} -> {100 * two.mean():.1f} ({100 * bayes_gain:+.1f} %)")
        name = f"{low}" if low == high else f"{low}-{high}" if high < 10**9 else f"{low}+"
        out["few"][name] = entry
        print(f"{name:<6}n {len(a):>5}  local {100 * right[a].mean():.1f}, mediated {100 * right[b].mean():.1f}:"
              f" {100 * difference:+.1f} ± {100 * reach:.1f} points, {100 * gain:+.1f} %"
              f" [{100 * least:+.1f}, {100 * most:+.1f}]; Bayes {', '.join(ceilings)}")  # fmt: skip

    print("\nbiased people with 10 items or more: answers that are, and are not, their habit")
    for arm in ARMS:
        at = np.array([i for i in base(arm) if rows[i]["kind"] == "biased" and rows[i]["visible"] >= 10], int)
        if len(at) == 0:
            continue
        on = answer[at] == np.array([labels.index(rows[i]["habit"]) for i in at])
        shares = [by_person(right[at][side], people[at][side]) if side.any() else (math.nan, math.nan)
                  for side in (on, ~on)]  # fmt: skip
        balanced, reach = (shares[0][0] + shares[1][0]) / 2, math.hypot(shares[0][1], shares[1][1]) / 2
        said = [np.bincount(values, minlength=len(labels)) / len(at) for values in (guess[at], answer[at])]
        entropy = [float(-sum(q * math.log(q) for q in share if q > 0) / math.log(len(labels))) for share in said]
        own = []
        for person in np.unique(people[at]):
            mine = guess[at][people[at] == person]
            if len(mine) >= 5:
                q = np.bincount(mine) / len(mine)
                own.append(-sum(v * math.log(v) for v in q if v > 0) / math.log(len(labels)))
        entry = {"n": len(at), "off_habit": int((~on).sum()), "on": shares[0][0], "off": shares[1][0],
                 "balanced": balanced, "reach": reach, "entropy": entropy[0], "entropy_of_gold": entropy[1],
                 "entropy_a_person": float(np.mean(own)) if own else None, "people_with_5": len(own)}  # fmt: skip
        line = (f"{arm:<10}n {len(at):>4} ({(~on).sum()} off)  on {100 * shares[0][0]:.1f}, off {100 * shares[1][0]:.1f},"
                f" balanced {100 * balanced:.1f} ± {100 * reach:.1f}; entropy of decisions {entropy[0]:.2f} (gold"
                f" {entropy[1]:.2f}), a person {np.mean(own) if own else math.nan:.2f} ({len(own)} people)")  # fmt: skip
        for kind, known in reference.items():
            if all(i in known for i in at):
                best = best_of(np.array([known[i] for i in at]), answer[at])
                entry[f"bayes_{kind}"] = {"on": float(best[on].mean()), "off": float(best[~on].mean())}
                line += f"; {kind} {100 * (best[on].mean() + best[~on].mean()) / 2:.1f}"
        out["biased"][arm] = entry
        print(line)
    return out


def evaluate_command(args):
    from tokenizers import Tokenizer

    model = Exported(args.model)
    tokenizer = Tokenizer.from_file(str(Path(args.model) / "tokenizer.json"))
    labels, rows = read_prompts(args.prompts)
    rows = rows[: args.limit] if args.limit else rows
    label_ids = np.array([tokenizer.token_to_id(label) for label in labels])
    encoded = [e.ids for e in tokenizer.encode_batch([r["prompt"] for r in rows], add_special_tokens=False)]
    order = sorted(range(len(rows)), key=lambda i: len(encoded[i]))
    scores = np.zeros((len(rows), len(labels)), np.float32)
    outside = np.zeros(len(rows))  # probability that goes to no label at all
    for start in range(0, len(order), 16):
        part = order[start : start + 16]
        width = max(len(encoded[i]) for i in part)
        tokens = np.array([encoded[i] + [0] * (width - len(encoded[i])) for i in part])
        log_p = model.log_probabilities(tokens, np.array([len(encoded[i]) - 1 for i in part]))
        scores[part] = log_p[:, label_ids]
        outside[part] = 1 - np.exp(log_p[:, label_ids]).sum(1)
    restricted = log_softmax(scores)
    proven = None
    if any("bayes" in row for row in rows):
        proven = proof(labels, rows, restricted)
        print()
        # The tables below are of questions as they were asked and of swapped blocks.
        kept = [i for i, row in enumerate(rows) if row.get("control") in (None, "swap-local", "swap-global")]
        rows, restricted, outside = [rows[i] for i in kept], restricted[kept], outside[kept]
    answer = np.array([labels.index(row["answer"]) for row in rows])
    guess = restricted.argmax(1)
    right = guess == answer
    loss = -restricted[np.arange(len(rows)), answer]
    confidence = np.exp(restricted.max(1))

    # Rows of one query: its "query" where the export names it, else the same first line
    # and answer within a population. Repeats are told apart by their number.
    seen, table = Counter(), {}
    for i, row in enumerate(rows):
        query = row.get("query")
        query = row.get("asked", query) if query is not None else (row["prompt"].split("\n", 1)[0], row["answer"])
        key = (row["population"], json.dumps(query), row["arm"], row.get("swap"))
        table[key[:2] + (seen[key],) + key[2:]] = i
        seen[key] += 1

    def pairs(one, other):
        found = [(i, table.get(key[:3] + other)) for key, i in table.items() if key[3:] == one]
        return np.array([pair for pair in found if pair[1] is not None], int).reshape(-1, 2)

    report = {"rows": len(rows), "groups": {}, "paired": {}}
    if proven is not None:
        report["proof"] = proven
    print(f"{'group':<22}{'n':>6}{'accuracy':>10}{'95 % interval':>18}{'log-loss':>10}{'ECE':>8}{'T*':>6}{'outside':>9}")
    for arm, swap in [(arm, None) for arm in ARMS] + [(arm, s) for s in SWAPS[1:] for arm in ARMS]:
        mask = np.array([row["arm"] == arm and row.get("swap") == swap for row in rows])
        n = int(mask.sum())
        if n == 0:
            continue
        low, high = wilson(int(right[mask].sum()), n)
        ece = calibration_error(confidence[mask], right[mask])
        heats = np.exp(np.linspace(math.log(0.4), math.log(2.5), 41))
        own = np.flatnonzero(mask)
        heat = min(heats, key=lambda t: -log_softmax(restricted[own] / t)[np.arange(n), answer[own]].mean())
        name = arm if swap is None else f"{arm}, {swap} swapped"
        report["groups"][name] = {
            "n": n, "accuracy": float(right[mask].mean()), "interval": [low, high], "log_loss": float(loss[mask].mean()),
            "ece": float(ece), "best_temperature": float(heat), "outside": float(outside[mask].mean()),
        }  # fmt: skip
        print(
            f"{name:<22}{n:>6}{right[mask].mean():>10.4f}{f'[{low:.4f}, {high:.4f}]':>18}"
            f"{loss[mask].mean():>10.4f}{ece:>8.4f}{heat:>6.2f}{outside[mask].mean():>9.1e}"
        )
    print("\npaired differences (b: only the first is right, c: only the second; p: McNemar)")
    comparisons = [
        ("mediated", None, "local", None), ("mediated", None, "global", None), ("mediated", None, "none", None),
        ("local", None, "none", None), ("global", None, "none", None),
    ] + [(arm, swap, arm, None) for swap in SWAPS[1:] for arm in ARMS]  # fmt: skip
    for arm, swap, other, other_swap in comparisons:
        both = pairs((arm, swap), (other, other_swap))
        if len(both) == 0:
            continue
        a, b = right[both[:, 0]], right[both[:, 1]]
        first, second = int((a & ~b).sum()), int((~a & b).sum())
        difference = float(a.mean() - b.mean())
        reach = 1.96 * math.sqrt(max(0.0, (first + second) / len(both) - difference**2) / len(both))
        changed = float((guess[both[:, 0]] != guess[both[:, 1]]).mean())
        name = f"{arm}{f' ({swap} swapped)' if swap else ''} - {other}"
        report["paired"][name] = {
            "n": len(both), "difference": difference, "reach": reach, "b": first, "c": second,
            "p": mcnemar(first, second), "changed": changed,
        }  # fmt: skip
        print(
            f"{name:<38}n {len(both):>6}  {difference:+.4f} ± {reach:.4f}  b {first}, c {second},"
            f" p {mcnemar(first, second):.2g}, answer differs {changed:.3f}"
        )
    if args.json:
        write_json(args.json, report)


def tokens_command(args):
    """Prompts with their token ids, for a test that another tokenizer reads them alike."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(args.model) / "tokenizer.json"))
    labels, rows = read_prompts(args.prompts)
    pick = np.linspace(0, len(rows) - 1, min(args.n, len(rows))).astype(int)
    value = {
        "labels": {label: tokenizer.token_to_id(label) for label in labels},
        "eos": tokenizer.token_to_id(EOS),
        "rows": [
            {
                "prompt": rows[i]["prompt"],
                "ids": tokenizer.encode(rows[i]["prompt"], add_special_tokens=False).ids,
                "answer": rows[i]["answer"],
                "answer_id": tokenizer.token_to_id(rows[i]["answer"]),
            }
            for i in pick
        ],
    }
    write_json(args.out, value, indent=None)
    print(f"{len(pick)} prompts in {args.out}")


# ---------------------------------------------------------------- command line


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)

    p = commands.add_parser("tokenizer", help="learn the tokenizer")
    p.add_argument("--prompts", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--vocabulary", type=int, default=2048)
    p.add_argument("--rows", type=int, default=60000, help="prompts to learn from")
    p.add_argument("--max-positions", type=int, default=1024)
    p.set_defaults(run=tokenizer_command)

    p = commands.add_parser("train", help="train, or go on where last.npz stands")
    p.add_argument("--prompts", required=True)
    p.add_argument("--validation", help="prompts of other populations; else 5 %% of the populations are held out")
    p.add_argument("--out", required=True)
    p.add_argument("--tokenizer", help="folder of tokenizer.json, if not --out")
    p.add_argument("--minutes", type=float, default=60.0)
    p.add_argument("--steps", type=int, help="a fixed number of steps instead of --minutes")
    p.add_argument("--stop-after", type=int, help="stop early at this step, keeping the plan")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--fresh", action="store_true", help="do not resume from last.npz")
    p.add_argument("--init", help="checkpoint to take the start weights from")
    p.add_argument("--layers", type=int, default=4)
    p.add_argument("--hidden", type=int, default=128)
    p.add_argument("--heads", type=int, default=4)
    p.add_argument("--ffn", type=int, default=384)
    p.add_argument("--max-positions", type=int, default=1024)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--bucket", type=int, default=16)
    p.add_argument("--optimizer", choices=["muon", "adamw"], default="muon")
    p.add_argument("--rate", type=float, default=2e-3)
    p.add_argument("--floor", type=float, default=0.01, help="share of the rate that is left at the end")
    p.add_argument("--warmup", type=int, default=50)
    p.add_argument("--decay", type=float, default=0.1)
    p.add_argument("--lm-weight", type=float, default=0.2)
    p.add_argument("--lm-positions", type=int, default=16)
    p.add_argument("--permute", type=float, default=0.1, help="share of examples with permuted label names")
    p.add_argument("--rows", type=int, help="use only the first rows")
    p.add_argument("--validation-rows", type=int, default=1600)
    p.add_argument("--check-every", type=int, help="steps between validations, instead of by time")
    p.add_argument("--log-every", type=int, default=50)
    p.add_argument("--save-seconds", type=float, default=60.0)
    p.set_defaults(run=train_command)

    p = commands.add_parser("export", help="write the folder that is loaded")
    p.add_argument("--checkpoint", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--dtype", choices=["float32", "float16"])
    p.set_defaults(run=export_command)

    p = commands.add_parser("evaluate", help="accuracy and calibration of each arm")
    p.add_argument("--prompts", required=True)
    p.add_argument("--model", required=True)
    p.add_argument("--limit", type=int)
    p.add_argument("--json", help="write the numbers here, too")
    p.set_defaults(run=evaluate_command)

    p = commands.add_parser("tokens", help="token ids of some prompts")
    p.add_argument("--prompts", required=True)
    p.add_argument("--model", required=True)
    p.add_argument("--n", type=int, default=20)
    p.add_argument("--out", required=True)
    p.set_defaults(run=tokens_command)

    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
