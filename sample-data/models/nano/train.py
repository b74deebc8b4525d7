#!/usr/bin/env python3
"""Trains "nano", a tiny Llama that reads a personalisation prompt and names a tag, gives a
rating or writes a headline.

The prompts come from `logoscope synth --export-prompts FILE --task TASK`: a header line
with the task and its labels, then one JSON object a line with prompt, answer, arm,
population and swap. The target is the response that was drawn or, where `chances` say so, what can be expected of it;
nothing here sees a mediator's answer.

    train.py tokenizer --prompts F G H --out DIR
    train.py train     --prompts F G H --validation I J K --out DIR --minutes M --seed S
    train.py export    --checkpoint DIR/best.npz --out MODEL
    train.py mean      --of MODEL --with OTHER --share S --out MODEL
    train.py evaluate  --prompts G --model MODEL
    train.py tokens    --prompts G --model MODEL --n 20 --out FILE.json

Needs numpy, torch (CPU is enough), tokenizers and safetensors. The order of the data, the
start weights and every random choice follow from --seed; with --steps and --threads 1 the
run is repeatable on one machine, with --minutes the number of steps follows from its speed.
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
TASKS = ["labels", "rating", "text"]
ARMS = ["none", "local", "global", "mediated"]
SWAPS = [None, "local", "global"]
ROPE_THETA = 10000.0
NORM_EPS = 1e-5


# ---------------------------------------------------------------- prompts and files


def read_prompts(path):
    """The labels of the header and the list of rows, each with its task."""
    with open(path, encoding="utf-8") as lines:
        header = json.loads(next(lines))
        rows = [json.loads(line) for line in lines if line.strip()]
    if "labels" not in header:
        sys.exit(f"{path}: the first line must be the header with \"labels\"")
    labels, task = header["labels"], header.get("task", "labels")
    if task not in TASKS:
        sys.exit(f"{path}: unknown task {task!r}")
    known = set(labels)
    for number, row in enumerate(rows, 2):
        row["task"] = task
        if task != "text" and row["answer"] not in known:
            sys.exit(f"{path}:{number}: the answer {row['answer']!r} is not a label")
        if row["arm"] not in ARMS:
            sys.exit(f"{path}:{number}: unknown arm {row['arm']!r}")
    return labels, rows


def read_all(paths):
    """The tags that are names of their own, and the rows of several files."""
    tags, rows = [], []
    for path in paths:
        labels, read = read_prompts(path)
        if read and read[0]["task"] == "labels":
            tags = labels
        rows += read
    return tags, rows


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

    labels, rows = read_all(args.prompts)
    # Labels become tokens of their own, so no merge is spent on them.
    longest_first = sorted(labels, key=len, reverse=True)
    label_words = re.compile(r"\s*(?<!\w)(?:" + "|".join(map(re.escape, longest_first)) + r")(?!\w)")
    some = np.random.default_rng(0).permutation(len(rows))[: args.rows]
    texts = [text for i in some for text in (rows[i]["prompt"], rows[i]["answer"])]
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


def chances(rows, most=4):
    """Of each row, which labels fit and how likely each is; of rows that do not say, the answer.

    A model learns the same from them as from draws, without the noise of drawing."""
    tags, shares = np.zeros((len(rows), most), np.int16), np.zeros((len(rows), most), np.float32)
    for i, row in enumerate(rows):
        known = row.get("chances", [])
        tags[i, : len(known)], shares[i, : len(known)] = row.get("fits", [])[: len(known)], known
    return tags, shares / np.maximum(shares.sum(1, keepdims=True), 1e-9)


def fitting(rows, count):
    """Of each row, which labels fit what it is about, as far as the generator knows."""
    fits = np.zeros((len(rows), count), bool)
    for i, row in enumerate(rows):
        fits[i, row.get("fits", [])] = True
    return fits


class Data:
    """Prompts with their answers as one flat array of token ids, kept on disk beside the checkpoint."""

    def __init__(self, paths, model_folder, cache_folder):
        from tokenizers import Tokenizer

        tokenizer_path = Path(model_folder) / "tokenizer.json"
        key = hashlib.sha256(b"3" + tokenizer_path.read_bytes())
        for path in map(lambda path: Path(path).resolve(), paths):
            key.update(f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}".encode())
        cached = Path(cache_folder) / f"tokens-{key.hexdigest()[:16]}.npz"
        if not cached.exists():
            tokenizer = Tokenizer.from_file(str(tokenizer_path))
            eos = tokenizer.token_to_id(EOS)
            tags, rows = read_all(paths)

            def encoded(texts):
                for start in range(0, len(texts), 4096):
                    for e in tokenizer.encode_batch(texts[start : start + 4096], add_special_tokens=False):
                        yield np.array(e.ids, np.uint16)

            prompts = list(encoded([row["prompt"] for row in rows]))
            # An answer is encoded by itself: that is how it is scored, and what is generated first.
            answers = [np.append(ids, np.uint16(eos)) for ids in encoded([row["answer"] for row in rows])]
            whole = [np.concatenate(pair) for pair in zip(prompts, answers)]
            drawn_from, likely = chances(rows)
            arrays = {
                "ids": np.concatenate(whole),
                "offsets": np.cumsum([0] + [len(ids) for ids in whole]).astype(np.int64),
                "asked": np.array([len(ids) for ids in prompts], np.int32),
                "task": np.array([TASKS.index(row["task"]) for row in rows], np.int8),
                "arm": np.array([ARMS.index(row["arm"]) for row in rows], np.int8),
                "swap": np.array([SWAPS.index(row.get("swap")) for row in rows], np.int8),
                "labels": np.array([tokenizer.token_to_id(tag) for tag in tags], np.int32),
                "fits": fitting(rows, len(tags)),
                "drawn_from": drawn_from,
                "likely": likely,
                "marks": np.array([tokenizer.encode(mark).ids[0] for mark in "\n-"], np.int32),
                "scores": np.array([tokenizer.encode(str(n)).ids[0] for n in range(1, 6)], np.int32),
                "shape": np.array([tokenizer.get_vocab_size(with_added_tokens=True), eos]),
            }
            Path(cache_folder).mkdir(parents=True, exist_ok=True)
            replace_file(cached, lambda file: np.savez(file, **arrays))
        with np.load(cached) as arrays:
            for name in arrays.files:
                setattr(self, name, arrays[name])
        self.vocabulary, self.eos = (int(value) for value in self.shape)
        self.length = np.diff(self.offsets)

    def __len__(self):
        return len(self.asked)

    def sequence(self, row):
        return self.ids[self.offsets[row] : self.offsets[row + 1]].astype(np.int64)


def width_of(length, widths):
    """Sequences are padded to one of a few widths, so that few shapes are compiled."""
    return next(width for width in widths if length <= width)


def renamed(data, row, rng, settings):
    """Labels change their names in the prompt and in the target alike, which leaves an answer only to those that
    read: all of them, or those that fit the question, between which nothing but memory decides."""
    names, chance = np.arange(data.vocabulary), rng.random()
    if chance < settings["permute"]:
        names[data.labels] = rng.permutation(data.labels)
    elif chance < settings["permute"] + settings["permute_fitting"]:
        fitting = data.labels[data.fits[row]]
        names[fitting] = rng.permutation(fitting)
    return names


def reordered(data, ids, asked, rng):
    """The lines of each memory in random order: how near a line is, it says itself."""
    newline, dash = data.marks
    ends = np.flatnonzero(ids[:asked] == newline)
    lines = [(start + 1, end + 1) for start, end in zip(ends[:-1], ends[1:])]
    out, i = ids.copy(), 0
    while i < len(lines):
        j = i
        while j < len(lines) and ids[lines[j][0]] == dash:
            j += 1
        if j > i + 1:
            parts = [ids[start:end] for start, end in lines[i:j]]
            out[lines[i][0] : lines[j - 1][1]] = np.concatenate([parts[k] for k in rng.permutation(len(parts))])
        i = max(j, i + 1)
    return out


def make_batch(data, rows, rng, settings):
    """Token ids, the positions at which the model is asked, their targets and weights.

    The answer's tokens weigh 1 together, the end of text a twentieth of one; the other
    positions are sampled for the language-model loss, half of them in front of labels, as
    those are what a prompt has to teach. Padding stands behind everything that is asked,
    so causal attention needs no mask for it. Last come the tokens that the first one of an
    answer was drawn from and their shares, of every row; where they are not known, the
    answer has them all.
    """
    width = width_of(int(data.length[rows].max()), settings["widths"])
    asked = settings["positions"]
    tokens = np.full((len(rows), width), data.eos, np.int64)
    positions = np.zeros((len(rows), asked), np.int64)
    targets = np.full((len(rows), asked), data.eos, np.int64)
    weights = np.zeros((len(rows), asked), np.float32)
    drawn_from, likely = np.zeros((len(rows), data.drawn_from.shape[1]), np.int64), data.likely[rows].copy()
    is_label = np.zeros(data.vocabulary, bool)
    is_label[data.labels] = True
    for i, row in enumerate(rows):
        ids, n = data.sequence(row), int(data.asked[row])
        names = np.arange(data.vocabulary)
        if rng is not None and data.task[row] == 0:
            # Where no memory names a label that fits nothing could tell that they are renamed: it would only teach doubt.
            if np.isin(data.labels[data.fits[row]], ids[:n]).any():
                names = renamed(data, row, rng, settings)
                ids = names[ids]
            if rng.random() < settings["reorder"]:
                ids = reordered(data, ids, n, rng)
        tokens[i, : len(ids)] = ids
        if likely[i].any() and rng is not None:
            drawn_from[i] = names[data.labels[data.drawn_from[row]]]
        else:
            drawn_from[i], likely[i] = ids[n], np.eye(1, likely.shape[1])[0]
        answer = min(len(ids) - n, asked)
        positions[i, :answer] = np.arange(n - 1, n - 1 + answer)
        targets[i, :answer] = ids[n : n + answer]
        said = max(1, answer - 1)
        weights[i, :answer] = settings["text_weight"] / said if data.task[row] == 2 else 1.0 / said
        weights[i, answer - 1] = 0.05 if data.task[row] < 2 else weights[i, 0]
        room = min(settings["lm_positions"], asked - answer)
        if rng is not None and room > 0 and settings["lm_weight"] > 0:
            at = rng.integers(0, n - 1, room)
            before_label = np.flatnonzero(is_label[ids[1:n]])
            if len(before_label):
                at[: room // 2] = rng.choice(before_label, room // 2)
            positions[i, answer : answer + room] = at
            targets[i, answer : answer + room] = ids[at + 1]
            weights[i, answer : answer + room] = settings["lm_weight"] / room
    return tokens, positions, targets, weights, drawn_from, likely


def seen_twice(data, rows):
    """Tags that are asked of memories stand twice in the place of twice as many, to be renamed and reordered in two ways;
    and of each row where the other one is, or its own place."""
    twice = np.flatnonzero((data.task[rows] == 0) & (data.arm[rows] != 0))
    twice = twice[: len(twice) // 2 * 2].reshape(2, -1)
    rows, other = rows.copy(), np.arange(len(rows))
    rows[twice[1]] = rows[twice[0]]
    other[twice[0]], other[twice[1]] = twice[1], twice[0]
    return rows, other


def epoch_batches(data, rows, seed, epoch, settings):
    """Batches of like width and about as many tokens in random order; the same for the same seed and epoch."""
    rng = np.random.default_rng([seed, 1, epoch])
    rows = rng.permutation(rows)
    # Without memory there is little to learn: most of these rows are left out.
    rows = rows[(data.arm[rows] != 0) | (rng.random(len(rows)) < settings["none_share"])]
    widths = np.array([width_of(length, settings["widths"]) for length in data.length[rows]])
    batches = []
    for width in settings["widths"]:
        part, size = rows[widths == width], max(1, settings["batch_tokens"] // width)
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
    """Logits at the positions asked for, (batch, positions, vocabulary)."""
    import torch
    import torch.nn.functional as F

    d, heads, layers = shape["hidden"], shape["heads"], shape["layers"]
    head_dim = d // heads
    cos_table, sin_table = (torch.from_numpy(table) for table in rope_tables(shape["max_positions"], head_dim))

    def rotated(x, cos, sin):
        left, right = x.chunk(2, -1)
        return x * cos + torch.cat([-right, left], -1) * sin

    def forward(weights, tokens, positions):
        batch, length = tokens.shape
        kind = torch.bfloat16 if torch.is_autocast_enabled("cpu") else torch.float32
        cos, sin = cos_table[:length].to(kind), sin_table[:length].to(kind)
        causal = torch.full((length, length), -1e9).triu(1).to(kind)
        rows = torch.arange(batch)[:, None]
        x = weights["embed"][tokens]
        for layer in range(layers):
            get = lambda name: weights[f"{layer}.{name}"]
            h = F.rms_norm(x, (d,), get("attn_norm"), NORM_EPS)
            q, k, v = (h @ get("qkv")).view(batch, length, 3, heads, head_dim).permute(2, 0, 3, 1, 4)
            q, k, mask = rotated(q, cos, sin), rotated(k, cos, sin), causal
            if layer == layers - 1:
                # Behind the last keys and values only the positions asked for matter.
                q = q.transpose(1, 2)[rows, positions].transpose(1, 2)
                mask, x = causal[positions][:, None], x[rows, positions]
            shares = torch.softmax((q @ k.transpose(2, 3)) * head_dim**-0.5 + mask, -1)
            mixed = (shares.to(v.dtype) @ v).transpose(1, 2).reshape(batch, -1, d)
            x = x + mixed @ get("o")
            gate, up = (F.rms_norm(x, (d,), get("mlp_norm"), NORM_EPS) @ get("gate_up")).chunk(2, -1)
            x = x + (F.silu(gate) * up) @ get("down")
        return F.rms_norm(x, (d,), weights["norm"], NORM_EPS) @ weights["embed"].T

    return forward


class Muon:
    """Muon for the matrices inside the layers, AdamW for everything else; one rate serves both."""

    PARTS = {"qkv": 3, "gate_up": 2}

    def __init__(self, weights, decay):
        import torch

        self.decay = decay
        self.inner = [name for name, w in weights.items() if w.ndim == 2 and name != "embed"]
        self.first = {name: torch.zeros_like(w) for name, w in weights.items()}
        self.second = {name: torch.zeros_like(w) for name, w in weights.items()}

    def step(self, weights, grads, rate, number):
        import torch

        norm = math.sqrt(sum(float((g * g).sum()) for g in grads.values()))
        clip = min(1.0, 1.0 / (norm + 1e-6))
        stacks = {}
        for name, g in grads.items():
            g = g * clip
            if name in self.inner:
                m = self.first[name].mul_(0.95).add_(g)
                update = g + 0.95 * m
                for part, matrix in enumerate(update.chunk(self.PARTS.get(name.split(".")[1], 1), 1)):
                    tall = matrix.shape[0] > matrix.shape[1]
                    matrix = matrix.T if tall else matrix
                    stacks.setdefault(tuple(matrix.shape), []).append((name, part, tall, matrix))
            else:
                m = self.first[name].mul_(0.9).add_(g, alpha=0.1)
                v = self.second[name].mul_(0.95).addcmul_(g, g, value=0.05)
                update = (m / (1 - 0.9**number)) / ((v / (1 - 0.95**number)).sqrt() + 1e-8)
                weights[name].sub_(rate * update)
        for shape, group in stacks.items():
            x = torch.stack([matrix for *_, matrix in group])
            x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
            for _ in range(5):
                square = x @ x.transpose(1, 2)
                x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
            # The size of an AdamW step.
            x = 0.2 * math.sqrt(max(shape)) * x
            for (name, part, tall, _), update in zip(group, x):
                weight = weights[name].chunk(self.PARTS.get(name.split(".")[1], 1), 1)[part]
                weight.mul_(1 - rate * self.decay).sub_(rate * (update.T if tall else update))
        return norm


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


def load_start(path):
    """Shape and weights to train on from: of a checkpoint, or of an exported folder."""
    if not Path(path).is_dir():
        about, groups = load_checkpoint(path)
        return about["shape"], groups["weights"]
    model = Exported(path)
    config, tensors = model.config, model.tensors
    shape = {
        "vocabulary": config["vocab_size"], "eos": config["eos_token_id"], "hidden": config["hidden_size"],
        "layers": config["num_hidden_layers"], "heads": config["num_attention_heads"],
        "ffn": config["intermediate_size"], "max_positions": config["max_position_embeddings"],
    }  # fmt: skip
    weights = {"embed": tensors["model.embed_tokens.weight"], "norm": tensors["model.norm.weight"]}
    for layer in range(shape["layers"]):
        joined = lambda *names: np.ascontiguousarray(
            np.concatenate([tensors[f"model.layers.{layer}.{name}.weight"].T for name in names], 1)
        )
        weights[f"{layer}.attn_norm"] = tensors[f"model.layers.{layer}.input_layernorm.weight"]
        weights[f"{layer}.qkv"] = joined("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
        weights[f"{layer}.o"] = joined("self_attn.o_proj")
        weights[f"{layer}.mlp_norm"] = tensors[f"model.layers.{layer}.post_attention_layernorm.weight"]
        weights[f"{layer}.gate_up"] = joined("mlp.gate_proj", "mlp.up_proj")
        weights[f"{layer}.down"] = joined("mlp.down_proj")
    return shape, weights


def validate(forward, weights, data, rows, settings):
    """The mean answer loss, and per task and arm: accuracy, absolute error of the mean, loss a token."""
    import torch

    losses, found = np.zeros(len(rows)), {}
    order = np.argsort(data.length[rows], kind="stable")
    for start in range(0, len(order), 32):
        part = order[start : start + 32]
        tokens, positions, targets, weight, _, _ = make_batch(data, rows[part], None, settings)
        with torch.no_grad():
            logits = forward(weights, torch.from_numpy(tokens), torch.from_numpy(positions)).float()
            nll = -logits.log_softmax(-1).gather(2, torch.from_numpy(targets)[:, :, None])[:, :, 0].numpy()
        firsts = logits[:, 0].numpy()
        for place, first, losses_of, weight_of in zip(part, firsts, nll, weight):
            row = rows[place]
            task = int(data.task[row])
            losses[place] = (losses_of * weight_of).sum() / weight_of.sum() if task == 2 else losses_of[0]
            target = data.sequence(row)[data.asked[row]]
            if task == 0:
                said = float(data.labels[first[data.labels].argmax()] == target)
            elif task == 1:
                p = np.exp(log_softmax(first[data.scores]))
                said = abs(float(p @ np.arange(1, 6)) - (1 + int(np.flatnonzero(data.scores == target)[0])))
            else:
                said = losses[place]
            found.setdefault((task, int(data.arm[row])), []).append(said)
    told = " | ".join(
        f"{TASKS[task]} " + " ".join(f"{ARMS[arm]} {np.mean(v):.3f}" for (t, arm), v in sorted(found.items()) if t == task)
        for task in sorted({task for task, _ in found})
    )
    return losses.mean(), told


def train_command(args):
    import torch

    torch.set_num_threads(args.threads)
    torch._dynamo.config.recompile_limit = 64
    torch._dynamo.config.cache_size_limit = 64
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer_folder = Path(args.tokenizer or args.out)
    if tokenizer_folder.resolve() != out.resolve():
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(tokenizer_folder / name, out / name)
    data, held = Data(args.prompts, out, out), Data(args.validation, out, out)
    rows = np.arange(len(data))
    held_rows = np.random.default_rng([args.seed, 4]).permutation(np.flatnonzero(held.swap == 0))[: args.validation_rows]

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
        "widths": [width for width in args.widths if width < args.max_positions] + [args.max_positions],
        "positions": args.positions,
        "batch_tokens": args.batch_tokens,
        "lm_positions": args.lm_positions,
        "lm_weight": args.lm_weight,
        "text_weight": args.text_weight,
        "none_share": args.none_share,
        "permute": args.permute,
        "permute_fitting": args.permute_fitting,
        "reorder": args.reorder,
        "agree": args.agree,
        "decay": args.decay,
    }
    fits = data.length[rows] <= args.max_positions
    if not fits.all():
        sys.exit(f"{(~fits).sum()} prompts have more tokens than --max-positions, the longest {data.length.max()}")

    # "place" runs from 0 to 1 over the whole training and fixes the learning rate.
    step, epoch, index, place, elapsed, best = 0, 0, 0, 0.0, 0.0, math.inf
    last = out / "last.npz"
    groups = {}
    if last.exists() and not args.fresh:
        about, groups = load_checkpoint(last)
        if about["shape"] != shape or about["seed"] != args.seed:
            sys.exit(f"{last} is of another model or seed: use --fresh or another --out")
        step, epoch, index, place, elapsed, best = (
            about[name] for name in ("step", "epoch", "index", "place", "elapsed", "best")
        )
        print(f"resumed at step {step}, {100 * place:.1f} % of the plan", flush=True)
    start = groups.get("weights")
    if start is None:
        start = start_weights(shape, args.seed)
        if args.init:
            shape_there, start = load_start(args.init)
            if shape_there != shape:
                sys.exit(f"{args.init} is of another shape or vocabulary: {shape_there}, not {shape}")
    weights = {name: torch.from_numpy(np.array(w)).requires_grad_() for name, w in start.items()}
    optimizer = Muon(weights, args.decay)
    for mine, name in ((optimizer.first, "first"), (optimizer.second, "second")):
        for key, value in groups.get(name, {}).items():
            mine[key] = torch.from_numpy(np.array(value))

    size = sum(w.numel() for w in weights.values())
    kinds = ", ".join(f"{(data.task == i).sum()} {task}" for i, task in enumerate(TASKS))
    print(
        f"{size / 1e6:.2f} M parameters ({4 * size / 1e6:.1f} MB), {len(rows)} rows of {data.length.mean():.0f}"
        f" tokens ({kinds}), {len(held_rows)} held out, {args.threads} threads",
        flush=True,
    )
    forward = make_forward(shape)

    def loss_of(weights, tokens, positions, targets, weight, drawn_from, likely, other):
        logits = forward(weights, tokens, positions).float()
        found = logits.gather(2, targets[:, :, None])[:, :, 0]
        possible = logits[:, 0].gather(1, drawn_from)
        first = (possible * likely).sum(1, keepdim=True)
        nll = torch.logsumexp(logits, -1) - torch.cat((first, found[:, 1:]), 1)
        loss = (nll * weight).sum() / tokens.shape[0]
        if args.agree > 0:
            # How far the two readings of a row are apart, as the divergence of each from the other.
            log_p = (possible + torch.where(likely > 0, 0.0, -1e4)).log_softmax(-1)
            loss = loss + args.agree * (log_p.exp() * (log_p - log_p[other])).sum() / tokens.shape[0]
        return loss, (nll.detach()[:, 0]).mean()

    compiled_loss = torch.compile(loss_of, dynamic=False) if args.compile else loss_of

    def save(path, groups):
        about = {
            "shape": shape, "settings": settings, "seed": args.seed, "step": step,
            "epoch": epoch, "index": index, "place": place, "elapsed": elapsed, "best": best,
        }  # fmt: skip
        save_checkpoint(path, about, groups)

    def plain(tensors):
        return {name: tensor.detach().numpy() for name, tensor in tensors.items()}

    def save_last():
        save(last, {"weights": plain(weights), "first": plain(optimizer.first), "second": plain(optimizer.second)})

    def check():
        nonlocal best
        loss, told = validate(forward, weights, held, held_rows, settings)
        kept = loss < best
        if kept:
            best = float(loss)
            save(out / "best.npz", {"weights": plain(weights)})
        print(f"  held out: loss {loss:.4f} {told}{' (best)' if kept else ''}", flush=True)

    budget = 60.0 * args.minutes
    begun = time.monotonic() - elapsed
    batches = epoch_batches(data, rows, args.seed, epoch, settings)
    sums, tokens_done, since = np.zeros(3), 0, time.monotonic()
    last_check = last_save = time.monotonic()

    while place < 1.0 and (not args.stop_after or step < args.stop_after):
        if index >= len(batches):
            epoch, index = epoch + 1, 0
            batches = epoch_batches(data, rows, args.seed, epoch, settings)
        rng = np.random.default_rng([args.seed, 2, step])
        asked, other = batches[index], np.arange(len(batches[index]))
        if args.agree > 0:
            asked, other = seen_twice(data, asked)
        batch = (*make_batch(data, asked, rng, settings), other)
        # The plan follows steps where they are given, and else the clock.
        place = step / args.steps if args.steps else min(1.0, (time.monotonic() - begun) / budget)
        warm = min(1.0, (step + 1) / args.warmup)
        rate = args.rate * warm * (args.floor + (1 - args.floor) * 0.5 * (1 + math.cos(math.pi * place)))
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
            loss, first = compiled_loss(weights, *(torch.from_numpy(part) for part in batch))
        grads = torch.autograd.grad(loss, list(weights.values()))
        with torch.no_grad():
            norm = optimizer.step(weights, dict(zip(weights, grads)), rate, step + 1)
        sums += (float(loss.detach()), float(first), norm)
        tokens_done += batch[0].size
        step, index = step + 1, index + 1
        place = step / args.steps if args.steps else place
        now = time.monotonic()
        elapsed = now - begun

        if step % args.log_every == 0:
            mean, took = sums / args.log_every, now - since
            print(
                f"step {step} ({100 * place:.1f} %) loss {mean[0]:.4f} first {mean[1]:.3f} norm {mean[2]:.2f}"
                f" rate {rate:.2e} {args.log_every / took:.2f} steps/s {tokens_done / took:.0f} tokens/s"
                f" elapsed {elapsed / 60:.1f} min",
                flush=True,
            )
            sums, tokens_done, since = np.zeros(3), 0, now
            if not np.isfinite(mean).all():
                sys.exit("the loss is no longer finite")
        due = step % args.check_every == 0 if args.check_every else now - last_check > max(30, budget / 20)
        if due or place >= 1.0:
            check()
            since += time.monotonic() - now
            last_check = time.monotonic()
        if now - last_save > args.save_seconds or place >= 1.0:
            save_last()
            last_save = time.monotonic()
    check()
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
    import torch

    tensors = {name: torch.from_numpy(w) for name, w in weights.items()}
    with torch.no_grad():
        logits = make_forward(shape)(tensors, torch.from_numpy(tokens), torch.from_numpy(ends[:, None]))
    wanted = logits[:, 0].log_softmax(-1).numpy()
    worst = np.abs(model.log_probabilities(tokens, ends) - wanted).max()
    print(f"largest difference to the checkpoint's log-probabilities: {worst:.1e}")
    assert worst < (1e-3 if kind == "float32" else 0.1)


def mean_command(args):
    """Weights between two stages of one training: often better calibrated than either."""
    from safetensors.numpy import load_file, save_file

    one, other = Path(args.of), Path(args.other)
    shape = lambda folder: json.loads((folder / "config.json").read_text())
    assert shape(one) == shape(other), "the two are not of one shape"
    a, b = (load_file(folder / "model.safetensors") for folder in (one, other))
    assert a.keys() == b.keys(), "the two do not have the same tensors"
    mean = {name: ((1 - args.share) * a[name] + args.share * b[name]).astype(a[name].dtype) for name in a}
    # What stands between two is less sure than either: all logits are a product with the last norm.
    mean["model.norm.weight"] = (mean["model.norm.weight"] * np.float32(args.sharpen)).astype(a["model.norm.weight"].dtype)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    for file in one.glob("*.json"):
        if file.parent.resolve() != out.resolve():
            shutil.copyfile(file, out / file.name)
    partial = out / "model.safetensors.part"
    save_file(mean, str(partial), metadata={"format": "pt"})
    os.replace(partial, out / "model.safetensors")


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


def split_of(parts):
    """Regret in points and in nats, each with half its interval, by name."""
    (regret, reach), (nats, nats_reach) = parts
    return {"regret": regret, "reach": reach, "log_loss": nats, "log_loss_reach": nats_reach}


def best_of(p, answer):
    """Whether the most probable label is the answer; a tie of m counts 1/m."""
    best = p >= p.max(1, keepdims=True) - 1e-9
    return best[np.arange(len(p)), answer] / best.sum(1)


def people_of(rows):
    """A number for each row's person; a row that does not name one stands for itself."""
    names = {}
    key = lambda i, row: (row["population"], row.get("user", i))
    return np.array([names.setdefault(key(i, row), len(names)) for i, row in enumerate(rows)], int)


def proof(labels, rows, restricted):
    """What the card asks under "Does it read?", of an export with a reference: printed and returned."""
    guess = restricted.argmax(1)
    answer = np.array([labels.index(row["answer"]) for row in rows])
    right = (guess == answer).astype(float)
    people = people_of(rows)
    index = {(r["population"], r["asked"], r["arm"], r.get("control")): i for i, r in enumerate(rows)}
    reference = {
        # It cannot place a stranger who has already done all that anybody does.
        kind: {i: np.array(r["bayes"][kind]) for i, r in enumerate(rows) if None not in r.get("bayes", {}).get(kind, [None])}
        for kind in ("printed", "whole")
    }
    memory = {i: np.array(r["memory"]) for i, r in enumerate(rows) if "memory" in r}

    def base(arm):
        return np.array([i for i, r in enumerate(rows) if r["arm"] == arm and r.get("control") is None], int)

    def pairs(control, arm):
        found = [(i, index.get((r["population"], r["asked"], arm, None)))
                 for i, r in enumerate(rows) if r.get("control") == control and r["arm"] == arm]  # fmt: skip
        return np.array([pair for pair in found if pair[1] is not None], int).reshape(-1, 2)

    out = {"arms": {}, "apart": {}, "slopes": {}, "shares": {}, "few": {}, "biased": {}}
    errors = np.array([r["bayes"]["error"] for r in rows if r.get("bayes")])
    out["reference_error"] = {"mean": float(errors.mean()), "largest": float(errors.max())}
    print("\nregret to exact Bayes inference, points (printed: of the person's printed memories; whole: of all of memory; both"
          " of what everybody answered before, where the arm sees the crowd)")  # fmt: skip
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

    # `expected` trusts the reference's own probabilities. Whether they deserve it shows where the two answer differently.
    print("\nwhere the model and the reference answer differently: how often the answer of each is right, and what the reference"
          " makes of it")  # fmt: skip
    for arm in ARMS[1:]:
        at = base(arm)
        for kind, known in reference.items():
            both = [i for i in at if i in known]
            p = np.array([known[i] for i in both]).reshape(-1, len(labels))
            own, other = guess[both], p.argmax(1)
            apart = np.flatnonzero(own != other)
            if len(apart) == 0:
                continue
            here, who = np.array(both)[apart], people[np.array(both)[apart]]
            entry = {"n": len(apart)}
            line = f"{arm:<10}{kind:<8}n {len(apart):>5}"
            for name, said in (("model", own[apart]), ("reference", other[apart])):
                share, reach = by_person(said == answer[here], who)
                belief = float(p[apart, said].mean())
                entry[name] = {"right": share, "reach": reach, "believed": belief}
                line += f"  {name}: right {100 * share:.1f} ± {100 * reach:.1f}, believed {100 * belief:.1f}"
            out["apart"][f"{arm}, {kind}"] = entry
            print(line)

    # The best that could be done with what stands in memory is not the best that memory does: the rules, without a model,
    # read the same shares and entries that a prompt prints some of.
    print("\nregret in two: of what the rules make of memory to Bayes, and of the model to what the rules make of it")
    print(f"{'arm':<10}{'n':>6}{'memory':>9}{'log-loss':>9}{'ECE':>7}  {'':<8}"
          f"{'memory to Bayes, points':>24}{'nats':>16}{'model to memory, points':>26}{'nats':>16}")  # fmt: skip
    for arm in ARMS:
        at = base(arm)
        if len(at) == 0 or not all(i in memory for i in at):
            continue
        p, who = np.array([memory[i] for i in at]), people[at]
        best, loss = best_of(p, answer[at]), -np.log(np.maximum(p[np.arange(len(at)), answer[at]], 1e-9))
        read = [by_person(best - right[at], who), by_person(-restricted[at, answer[at]] - loss, who)]
        entry = {"accuracy": float(best.mean()), "log_loss": float(loss.mean()),
                 "ece": float(calibration_error(p.max(1), best)), "model": split_of(read)}  # fmt: skip
        line = f"{arm:<10}{len(at):>6}{100 * best.mean():>9.1f}{loss.mean():>9.3f}{entry['ece']:>7.3f}  "
        for kind, known in reference.items():
            if not all(i in known for i in at):
                continue
            q = np.array([known[i] for i in at])
            lost = loss + np.log(q[np.arange(len(at)), answer[at]])
            held = [by_person(best_of(q, answer[at]) - best, who), by_person(lost, who)]
            entry[kind] = split_of(held)
            shown = [f"{f * mean:+.{d}f} ± {f * reach:.{d}f}"
                     for part in (held, read) for (mean, reach), f, d in zip(part, (100, 1), (1, 3))]  # fmt: skip
            print(f"{line}{kind:<8}{shown[0]:>24}{shown[1]:>16}{shown[2]:>26}{shown[3]:>16}")
            line = " " * len(line)
        out["arms"][arm]["memory"] = entry

    print("\nhow the log-odds of fitting labels move against those of Bayes (slope 1: as they should)")
    for control, arm in [("swap-global", "global"), ("swap-global", "mediated"), ("flip", "local"),
                         ("flip", "mediated"), ("age", "local"), ("age", "mediated")]:  # fmt: skip
        known = reference["printed"]
        both = np.array([(i, j) for i, j in pairs(control, arm) if i in known and j in known], int).reshape(-1, 2)
        if len(both) == 0:
            continue
        x, y, z = (np.zeros((len(both), len(labels))) for _ in range(3))
        ruled = all(i in memory and j in memory for i, j in both)
        for row, (i, j) in enumerate(both):
            fits = known[j] > 0
            odds = lambda p: np.log(np.maximum(p[fits], 1e-5))
            for changes, move in ((x, odds(known[i]) - odds(known[j])), (y, restricted[i][fits] - restricted[j][fits]),
                                  (z, odds(memory[i]) - odds(memory[j]) if ruled else np.zeros(1))):  # fmt: skip
                changes[row, fits] = move - move.mean()
        # Who sees less than Bayes does well to move less: how far a move is borne out is the other slope, Bayes' on the model's.
        who = people[both[:, 0]]
        (slope, reach), (borne, borne_reach) = slope_by_person(x, y, who), slope_by_person(y, x, who)
        size = [float(np.sqrt((v * v).sum(1)).mean()) for v in (x, y)]
        changed = float((guess[both[:, 0]] != guess[both[:, 1]]).mean())
        entry = {
            "n": len(both), "slope": slope, "reach": reach, "borne_out": borne, "borne_out_reach": borne_reach,
            "moved_by_bayes": size[0], "moved": size[1], "changed": changed,
            "correlation": float((x * y).sum() / max(np.sqrt((x * x).sum() * (y * y).sum()), 1e-12)),
        }  # fmt: skip
        line = (f"{control + ', ' + arm:<24}n {len(both):>5}  slope {slope:.2f} ± {reach:.2f}, borne out {borne:.2f} ±"
                f" {borne_reach:.2f}, correlation {entry['correlation']:.2f}; mean length of the move: Bayes {size[0]:.2f},"
                f" model {size[1]:.2f}; answers changed {100 * changed:.1f} %")  # fmt: skip
        if ruled:
            (rules, rules_reach), (met, met_reach) = slope_by_person(x, z, who), slope_by_person(z, x, who)
            entry["rules"] = {"slope": rules, "reach": rules_reach, "borne_out": met, "borne_out_reach": met_reach}
            line += f"; rules slope {rules:.2f} ± {rules_reach:.2f}, borne out {met:.2f} ± {met_reach:.2f}"
        out["slopes"][f"{control}, {arm}"] = entry
        print(line)

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


def whole_questions(rows, limit):
    """How many rows the first `limit` of them and what else belongs to the same question are."""
    def question(row):
        return row["population"], row.get("asked", row.get("query"))

    while limit < len(rows) and question(rows[limit]) == question(rows[limit - 1]):
        limit += 1
    return limit


def evaluate_command(args):
    from tokenizers import Tokenizer

    model = Exported(args.model)
    tokenizer = Tokenizer.from_file(str(Path(args.model) / "tokenizer.json"))
    labels, rows = read_prompts(args.prompts)
    rows = rows[: whole_questions(rows, args.limit)] if args.limit else rows
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
    confidence, people = np.exp(restricted.max(1)), people_of(rows)

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
    print(f"{'group':<22}{'n':>6}{'accuracy':>19}{'log-loss':>10}{'ECE':>8}{'T*':>6}{'outside':>9}")
    for arm, swap in [(arm, None) for arm in ARMS] + [(arm, s) for s in SWAPS[1:] for arm in ARMS]:
        mask = np.array([row["arm"] == arm and row.get("swap") == swap for row in rows])
        n = int(mask.sum())
        if n == 0:
            continue
        accuracy, reach = by_person(right[mask], people[mask])
        ece = calibration_error(confidence[mask], right[mask])
        heats = np.exp(np.linspace(math.log(0.4), math.log(2.5), 41))
        own = np.flatnonzero(mask)
        heat = min(heats, key=lambda t: -log_softmax(restricted[own] / t)[np.arange(n), answer[own]].mean())
        name = arm if swap is None else f"{arm}, {swap} swapped"
        report["groups"][name] = {
            "n": n, "accuracy": accuracy, "reach": reach, "log_loss": float(loss[mask].mean()),
            "ece": float(ece), "best_temperature": float(heat), "outside": float(outside[mask].mean()),
        }  # fmt: skip
        print(
            f"{name:<22}{n:>6}{f'{accuracy:.4f} ± {reach:.4f}':>19}"
            f"{loss[mask].mean():>10.4f}{ece:>8.4f}{heat:>6.2f}{outside[mask].mean():>9.1e}"
        )
    print("\npaired differences (b: only the first is right, c: only the second; intervals by person)")
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
        difference, reach = by_person(a.astype(float) - b, people[both[:, 0]])
        changed = float((guess[both[:, 0]] != guess[both[:, 1]]).mean())
        name = f"{arm}{f' ({swap} swapped)' if swap else ''} - {other}"
        report["paired"][name] = {
            "n": len(both), "difference": difference, "reach": reach, "b": first, "c": second, "changed": changed,
        }  # fmt: skip
        print(
            f"{name:<38}n {len(both):>6}  {difference:+.4f} ± {reach:.4f}  b {first}, c {second},"
            f" answer differs {changed:.3f}"
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
    p.add_argument("--prompts", required=True, nargs="+")
    p.add_argument("--out", required=True)
    p.add_argument("--vocabulary", type=int, default=2048)
    p.add_argument("--rows", type=int, default=60000, help="prompts to learn from")
    p.add_argument("--max-positions", type=int, default=1024)
    p.set_defaults(run=tokenizer_command)

    p = commands.add_parser("train", help="train, or go on where last.npz stands")
    p.add_argument("--prompts", required=True, nargs="+", help="one file or more of each task")
    p.add_argument("--validation", required=True, nargs="+", help="prompts of other populations")
    p.add_argument("--out", required=True)
    p.add_argument("--tokenizer", help="folder of tokenizer.json, if not --out")
    p.add_argument("--minutes", type=float, default=60.0)
    p.add_argument("--steps", type=int, help="a fixed number of steps instead of --minutes")
    p.add_argument("--stop-after", type=int, help="stop early at this step, keeping the plan")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--fresh", action="store_true", help="do not resume from last.npz")
    p.add_argument("--init", help="checkpoint, or exported folder, to take the start weights from")
    p.add_argument("--no-bf16", dest="bf16", action="store_false", help="compute in f32")
    p.add_argument("--no-compile", dest="compile", action="store_false")
    p.add_argument("--layers", type=int, default=5)
    p.add_argument("--hidden", type=int, default=128)
    p.add_argument("--heads", type=int, default=4)
    p.add_argument("--ffn", type=int, default=384)
    p.add_argument("--max-positions", type=int, default=1024)
    p.add_argument("--widths", type=int, nargs="+", default=[48, 128, 192, 256, 320, 448])
    p.add_argument("--positions", type=int, default=48, help="positions of a row that can be asked")
    p.add_argument("--batch-tokens", type=int, default=8192)
    p.add_argument("--rate", type=float, default=2e-3)
    p.add_argument("--floor", type=float, default=0.01, help="share of the rate that is left at the end")
    p.add_argument("--warmup", type=int, default=50)
    p.add_argument("--decay", type=float, default=0.1)
    p.add_argument("--lm-weight", type=float, default=0.2)
    p.add_argument("--lm-positions", type=int, default=16)
    p.add_argument("--text-weight", type=float, default=2.0, help="weight of a text against that of a label")
    p.add_argument("--none-share", type=float, default=0.3, help="share of the rows without memory that are used")
    p.add_argument("--permute", type=float, default=0.1, help="share of examples with permuted label names")
    p.add_argument("--permute-fitting", type=float, default=0.4, help="share with the names of fitting labels permuted")
    p.add_argument("--reorder", type=float, default=0.7, help="share of examples with the lines of each memory shuffled")
    p.add_argument("--agree", type=float, default=0.0, help="weight of two readings of a row agreeing, renamed and reordered")
    p.add_argument("--validation-rows", type=int, default=3000)
    p.add_argument("--check-every", type=int, help="steps between validations, instead of by time")
    p.add_argument("--log-every", type=int, default=50)
    p.add_argument("--save-seconds", type=float, default=120.0)
    p.set_defaults(run=train_command)

    p = commands.add_parser("export", help="write the folder that is loaded")
    p.add_argument("--checkpoint", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--dtype", choices=["float32", "float16"])
    p.set_defaults(run=export_command)

    p = commands.add_parser("mean", help="the mean of the weights of two exported folders")
    p.add_argument("--of", required=True, help="folder of one model")
    p.add_argument("--with", required=True, dest="other", help="folder of another, trained on from it")
    p.add_argument("--share", required=True, type=float, help="share of the other's weights, 0 to 1")
    p.add_argument("--sharpen", type=float, default=1.0, help="multiplies all logits")
    p.add_argument("--out", required=True)
    p.set_defaults(run=mean_command)

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
