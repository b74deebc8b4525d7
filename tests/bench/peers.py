"""Times rank_bm25, bm25s, faiss and logoscope on the same work, in one run, on one thread.

Work is made from a seed: profiles of texts cut into words, each with a vector, and one query a profile. Every program
starts from the same words and vectors and ends with the places of the best texts. A ratio is printed only where the
answers agree; where they do not, the first difference is printed instead, and the exit code is 1.

Answers agree when a program's best texts are best by the other's scores, too: at each place both have the same score
within the tolerance, and each named text has that score on either side. Texts of equal scores may change places.
"""

import os

# Before numpy is loaded, which reads them once.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ[name] = "1"

import argparse
import gc
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time

import bm25s
import faiss
import numpy
from rank_bm25 import BM25Okapi


def make_work(arguments):
    """Lines of work: Zipf-like words, texts of varying length, unit vectors of few digits."""
    draw = random.Random(arguments.seed)
    vocabulary = [f"w{number}" for number in range(arguments.vocabulary)]
    weights = [1 / (rank + 2.7) for rank in range(arguments.vocabulary)]
    places = numpy.random.default_rng(arguments.seed)

    def text(mean):
        return draw.choices(vocabulary, weights, k=max(1, round(draw.gauss(mean, mean / 4))))

    def vectors(rows):
        drawn = places.standard_normal((rows, arguments.dimensions))
        drawn /= numpy.linalg.norm(drawn, axis=1, keepdims=True)
        return [[round(float(x), 4) for x in row] for row in drawn]

    for number in range(arguments.queries):
        texts = max(arguments.top, round(draw.lognormvariate(0, 0.3) * arguments.texts))
        yield {
            "id": f"q{number}",
            "texts": [text(arguments.words) for _ in range(texts)],
            # Each word once: what a word said twice counts is a matter of taste, not of speed.
            "query": list(dict.fromkeys(text(arguments.words))),
            "vectors": vectors(texts),
            "vector": vectors(1)[0],
        }


def run_program(arguments, path):
    command = [arguments.program, "bench", "--work", path, "--format", "json", "--model", "none"]
    command += ["--top", str(arguments.top), "--rounds", str(arguments.rounds)]
    done = subprocess.run(command, stdout=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}")
    return json.loads(done.stdout)["answers"]


def median(rounds, step):
    """Does `step` once to warm up, then `rounds` times: the median time in microseconds, and the last result."""
    result = step()
    taken = []
    for _ in range(rounds):
        start = time.perf_counter_ns()
        result = step()
        taken.append(time.perf_counter_ns() - start)
    return statistics.median(taken) / 1000, result


class Peer:
    """What another program took and answered, query by query, beside logoscope's own."""

    def __init__(self, name, own, tolerance, scaled=False):
        self.name, self.own, self.tolerance, self.scaled = name, own, tolerance, scaled
        self.build, self.rank, self.numbers = [], [], []
        self.own_build, self.own_rank, self.own_number = [], [], []
        self.difference = None

    def add(self, answer, build, rank, top, scores, numbers=0.0):
        """`top` are the places that the peer named, `scores` are its scores of all texts; `numbers` is what building takes
        from numbers in place of words."""
        own = answer[self.own]
        self.build.append(build)
        self.rank.append(rank)
        self.numbers.append(numbers)
        self.own_rank.append(own["rank_us"])
        self.own_build.append(own.get("build_us", 0.0))
        self.own_number.append(own.get("number_us", 0.0))
        if self.difference is None:
            reason = self.differ(own["top"], [int(place) for place in top], scores)
            self.difference = reason and f"query {answer['id']}: {reason}"

    def differ(self, own, top, scores):
        """The first way in which the answers differ; None where they agree."""
        if len(own) != len(top) or len({place for place, _ in own}) != len(own) or len(set(top)) != len(top):
            return f"{len(own)} and {len(top)} texts, or one named twice"
        best = sorted(scores, reverse=True)
        # Where logoscope brings scores into 0 to 1, one factor a query is free.
        factor = best[0] / own[0][1] if self.scaled and own[0][1] else 1.0
        for rank, (place, score) in enumerate(own):
            for what, theirs in (("the text there", scores[top[rank]]), ("the best there", best[rank]),
                                 ("the same text", scores[place])):
                if not abs(score * factor - theirs) <= self.tolerance * max(1.0, abs(theirs)):
                    return f"place {rank + 1}: text {place} has {score * factor!r}, {what} has {theirs!r}"
        return None

    def told(self, with_building):
        if self.difference:
            return f"{self.name:<22} no ratio, the answers differ: {self.difference}"
        lines = [self.line("ranking", self.rank, self.own_rank)]
        if with_building:
            def whole(*parts):
                return [sum(each) for each in zip(*parts)]

            words, numbers = whole(self.build, self.rank), whole(self.numbers, self.rank)
            own = whole(self.own_build, self.own_rank)
            lines.append(self.line("building, ranking", words, own))
            lines.append(self.line("the same, from numbers", numbers, own))
            lines.append(self.line("numbering as well", words, whole(self.own_number, own)))
        return "\n".join(lines)

    def line(self, what, theirs, own):
        each = sorted(a / b for a, b in zip(theirs, own))
        low, high = each[len(each) // 10], each[-1 - len(each) // 10]
        ratio = statistics.median(theirs) / statistics.median(own)
        return (f"{self.name:<22}{what:<23}{statistics.median(theirs):>10.1f}{statistics.median(own):>12.1f}"
                f"{ratio:>9.1f}{f'{low:.1f} to {high:.1f}':>18}{len(own):>6}")


def compare(arguments, path, answers):
    okapi = Peer("rank_bm25 BM25Okapi", "okapi", 1e-9)
    sparse = Peer("bm25s atire", "bm25", 1e-9, scaled=True)
    dense = Peer("faiss IndexFlatIP", "dense", 1e-5)
    with open(path, encoding="utf-8") as lines:
        for line, answer in zip(lines, answers, strict=True):
            work = json.loads(line)
            texts, query, top = work["texts"], work["query"], arguments.top
            places = list(range(len(texts)))

            build, ranker = median(arguments.rounds, lambda: BM25Okapi(texts))
            rank, named = median(arguments.rounds, lambda: ranker.get_top_n(query, places, n=top))
            # The numbers that logoscope builds from, in place of words.
            known = {}
            numbered = [[known.setdefault(word, len(known)) for word in text] for text in texts]
            numbers, _ = median(arguments.rounds, lambda: BM25Okapi(numbered))
            okapi.add(answer, build, rank, named, ranker.get_scores(query).tolist(), numbers)

            def index():
                # The idf and the saturation that logoscope uses; nothing is told on the screen.
                made = bm25s.BM25(k1=1.2, b=0.75, method="atire", idf_method="lucene", dtype="float64")
                made.index(texts, show_progress=False)
                return made

            build, ranker = median(arguments.rounds, index)
            rank, found = median(arguments.rounds,
                                 lambda: ranker.retrieve([query], k=top, show_progress=False, n_threads=0))
            sparse.add(answer, build, rank, found.documents[0], ranker.get_scores(query).tolist())

            rows = numpy.array(work["vectors"], dtype="float32")
            asked = numpy.array([work["vector"]], dtype="float32")

            def fill():
                made = faiss.IndexFlatIP(rows.shape[1])
                made.add(rows)
                return made

            build, flat = median(arguments.rounds, fill)
            rank, (_, found) = median(arguments.rounds, lambda: flat.search(asked, top))
            scores, order = flat.search(asked, len(texts))
            every = [0.0] * len(texts)
            for place, score in zip(order[0], scores[0]):
                every[place] = float(score)
            dense.add(answer, build, rank, found[0], every)
    return okapi, sparse, dense


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", help="the logoscope to be compared")
    parser.add_argument("--queries", type=int, default=200, help="profiles, with one query each (200)")
    parser.add_argument("--texts", type=int, default=150, help="texts of a profile, about (150)")
    parser.add_argument("--words", type=int, default=16, help="words of a text and of a query, about (16)")
    parser.add_argument("--vocabulary", type=int, default=4000, help="words that there are (4000)")
    parser.add_argument("--dimensions", type=int, default=256, help="of a vector (256)")
    parser.add_argument("--top", type=int, default=10, help="texts named for a query (10)")
    parser.add_argument("--rounds", type=int, default=5, help="times that each step is timed; the median counts (5)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        # All of them on one core, the started program too.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "work.jsonl")
        with open(path, "w", encoding="utf-8") as lines:
            for work in make_work(arguments):
                lines.write(json.dumps(work) + "\n")
        answers = run_program(arguments, path)
        gc.disable()
        okapi, sparse, dense = compare(arguments, path, answers)
    print(f"{arguments.queries} queries to profiles of about {arguments.texts} texts of about {arguments.words} words, "
          f"{arguments.dimensions} dimensions, the best {arguments.top}, one thread; medians in microseconds\n")
    print(f"{'peer':<22}{'step':<23}{'peer':>10}{'logoscope':>12}{'ratio':>9}{'80 % of queries':>18}{'n':>6}")
    print(okapi.told(with_building=True))
    # What logoscope builds holds more than theirs, so only ranking is the same work.
    print(sparse.told(with_building=False))
    print(dense.told(with_building=False))
    return 1 if any(peer.difference for peer in (okapi, sparse, dense)) else 0


if __name__ == "__main__":
    sys.exit(main())
