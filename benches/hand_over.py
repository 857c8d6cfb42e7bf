"""A model handed over to llama.cpp: the same token ids, logits and greedy answers?

    python3 -m venv peer
    peer/bin/pip install llama-cpp-python==0.3.36 gguf==0.19.0 transformers==5.24.0 torch==2.15.0 tokenizers safetensors
    peer/bin/python benches/hand_over.py --geneverse target/release/geneverse --out target/gguf [--prompts 32] [families …]

Four parts, each a table in OUT/gguf.md and its numbers in OUT/gguf.json:

families    the small random checkpoints beside the engine's goldens, made by transformers, one for each architecture: logits of
            llama.cpp (f32, caches in f32, no flash attention) beside those of transformers in the golden
tokenizers  the tokenizers beside the goldens, whose ids are those of transformers and SentencePiece: ids of llama.cpp
nano        the bundled model, and one with an adapter trained here for a few steps: ids of gene records, logits of a prompt,
            greedy answers of llama.cpp and `geneverse generate` in f32, f16 and q8_0; and the same from the folder that
            `adapter merge` writes, loaded by transformers
quickstart  with `--quickstart DIR`, a folder of `geneverse quickstart` or of an experiment on the bundled model: each adapter that
            was trained there, merged, and the merged folder in llama.cpp and in transformers beside `geneverse generate`

Every file is also read by PyPI's `gguf`, and its tensors are compared with the checkpoint's.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import llama_cpp
import numpy as np
from common import ProgramError, recipe, toml, watch
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

ROOT = Path(__file__).resolve().parent.parent
GOLDENS = ROOT / "crates/geneverse-model/tests/goldens"
FAMILIES = ["llama", "llama3", "llama_linear", "mistral", "gemma", "gemma2", "gemma3_text", "gpt2", "qwen2", "qwen3", "stablelm"]
TYPES = ["f32", "f16", "q8_0"]
QUESTION = "Please summarize the major function of gene: {}. Use academic language in one paragraph and include pathway information."


def run(arguments: argparse.Namespace, *command: str | Path) -> dict[str, Any]:
    """Runs geneverse and gives what it prints as JSON."""
    out = watch([arguments.geneverse, *command, "--json", "--quiet"])
    return json.loads(out.stdout) | {"seconds": out.seconds, "memory": out.memory}


def load(path: Path, context: int = 512) -> llama_cpp.Llama:
    """A file in llama.cpp, computing as exactly as it can. Without kernels that want weights in an order of their own: those
    for AMX crash on some machines that say they have it."""
    defaults = llama_cpp.llama_model_default_params

    def plain() -> Any:
        parameters = defaults()
        parameters.use_extra_bufts = False
        return parameters

    llama_cpp.llama_cpp.llama_model_default_params = plain
    return llama_cpp.Llama(
        str(path), n_ctx=context, n_batch=context, n_threads=1, logits_all=True, verbose=False, type_k=0, type_v=0,
        flash_attn=False,
    )


def logits(model: llama_cpp.Llama, ids: list[int]) -> np.ndarray:
    """Logits after each token."""
    model.reset()
    model.eval(ids)
    return np.array(model.scores[: len(ids)])


def export(arguments: argparse.Namespace, model: Path, out: Path, *more: str | Path) -> dict[str, Any]:
    for old in (out, out.with_suffix(".Modelfile"), Path(f"{out}.manifest.json")):
        old.unlink(missing_ok=True)
    return run(arguments, "adapter", "gguf", "--model", model, "--out", out, *more)


def letters_only(folder: Path, size: int) -> None:
    """A tokenizer of so many tokens, for a checkpoint that came without one."""
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2} | {chr(0x100 + i): i for i in range(3, size)}
    (folder / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "added_tokens": [], "normalizer": None, "post_processor": None, "decoder": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "vocab": vocabulary, "merges": []},
    }))


def families(arguments: argparse.Namespace, names: list[str]) -> list[dict[str, Any]]:
    rows = []
    for family in names:
        folder = arguments.out / family
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(GOLDENS / family, folder)
        config = json.loads((folder / "config.json").read_text())
        letters_only(folder, config["vocab_size"])
        golden = load_file(GOLDENS / f"{family}.safetensors")
        row: dict[str, Any] = {"family": family}
        rows.append(row)
        for kind in TYPES:
            try:
                written = export(arguments, folder, arguments.out / f"{family}-{kind}.gguf", "--type", kind)
                row["architecture"] = written["written"]["architecture"]
                gguf.GGUFReader(arguments.out / f"{family}-{kind}.gguf")
                model = load(arguments.out / f"{family}-{kind}.gguf", 256)
                apart, largest, same, tokens = 0.0, 0.0, 0, 0
                for number in range(4):
                    # A window that llama.cpp has no notion of: no further than it is told to go.
                    ids = golden[f"ids.{number}"].tolist()
                    if family == "mistral":
                        ids = ids[: config["sliding_window"]]
                    wanted = golden[f"logits.{number}"][: len(ids)]
                    found = logits(model, ids)
                    apart = max(apart, float(np.abs(found - wanted).max()))
                    largest = max(largest, float(np.abs(wanted).max()))
                    same += int((found.argmax(-1) == wanted.argmax(-1)).sum())
                    tokens += len(ids)
                row[kind] = {"apart": apart, "largest": largest, "same": same, "tokens": tokens}
                model.close()
            except (ProgramError, RuntimeError, ValueError) as error:
                row[kind] = {"error": str(error)[-300:]}
    return rows


def tokenizers(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    texts = json.loads((GOLDENS / "tokenizers/texts.json").read_text())
    for name in ["llama", "vicuna", "gemma", "gpt2"]:
        source = GOLDENS / "tokenizers" / name
        expected = json.loads((source / "expected.json").read_text())
        wanted = expected["ids"]
        size = max(max(ids, default=0) for ids in wanted) + 1
        folder = arguments.out / f"tokenizer-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        size = max(size, vocabulary_size(arguments, source))
        random_llama(source, folder, size)
        written = export(arguments, folder, arguments.out / f"tokenizer-{name}.gguf", "--type", "f32")
        model = load(arguments.out / f"tokenizer-{name}.gguf", 256)
        # llama.cpp ends texts at a zero byte, and reads no text that is empty.
        pairs = [(text, ids) for text, ids in zip(texts, wanted) if text]
        differing = [(text, ids, model.tokenize(text.encode(), add_bos=False, special=True)) for text, ids in pairs]
        differing = [(text, ids, found) for text, ids, found in differing if ids != found]
        rows.append({
            "tokenizer": name, "texts": len(pairs), "same": len(pairs) - len(differing), "notes": written["written"]["notes"],
            "differing": [{"text": text, "wanted": ids, "found": found} for text, ids, found in differing],
        })
        model.close()
    return rows


def vocabulary_size(arguments: argparse.Namespace, source: Path) -> int:
    """How many tokens the files of a tokenizer have, as the error about a model that has fewer tells."""
    folder = arguments.out / "size"
    shutil.rmtree(folder, ignore_errors=True)
    random_llama(source, folder, 3)
    size = 3
    while True:
        try:
            export(arguments, folder, arguments.out / "size.gguf", "--type", "f32")
            return size
        except ProgramError as error:
            if "has the id" not in str(error):
                raise
            size = max(size * 2, int(str(error).split("has the id ")[1].split(",")[0]) + 1)
            shutil.rmtree(folder)
            random_llama(source, folder, size)


def random_llama(tokenizer: Path, folder: Path, vocabulary: int) -> None:
    """A Llama of one small layer with a tokenizer's files."""
    shutil.copytree(tokenizer, folder, ignore=shutil.ignore_patterns("expected.json", "config.json"))
    hidden = 32
    (folder / "config.json").write_text(json.dumps({
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": hidden, "intermediate_size": hidden,
        "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": vocabulary, "max_position_embeddings": 512,
        "tie_word_embeddings": True, "bos_token_id": 1, "eos_token_id": 2,
    }))
    random = np.random.default_rng(0)
    tensors = {"model.embed_tokens.weight": (vocabulary, hidden), "model.norm.weight": (hidden,)}
    layer = "model.layers.0."
    tensors |= {f"{layer}self_attn.{m}_proj.weight": (hidden, hidden) for m in "qkvo"}
    tensors |= {f"{layer}mlp.{m}_proj.weight": (hidden, hidden) for m in ("gate", "up", "down")}
    tensors |= {f"{layer}{n}_layernorm.weight": (hidden,) for n in ("input", "post_attention")}
    save_file({n: random.normal(0, 0.1, s).astype(np.float32) for n, s in tensors.items()}, folder / "model.safetensors")


def records() -> list[str]:
    """The bundled gene records as texts."""
    texts = []
    for line in (ROOT / "data/summaries.jsonl").read_text().splitlines():
        record = json.loads(line)
        texts.append(record["summary"])
        texts.append(QUESTION.format(record["symbol"]))
    return texts


def alpaca(question: str) -> str:
    return (
        "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
        f"### Instruction:\n{question}\n\n### Response:\n"
    )


def plain(question: str) -> str:
    return f"{question}\n"


def nano(arguments: argparse.Namespace) -> dict[str, Any]:
    base = ROOT / "models/geneverse-nano"
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    summaries = [json.loads(line) for line in (ROOT / "data/summaries.jsonl").read_text().splitlines()]
    data = arguments.out / "train.json"
    data.write_text(json.dumps([
        {"instruction": QUESTION.format(s["symbol"]), "input": "", "output": s["summary"]} for s in summaries[:256]
    ]))
    trained = arguments.out / "trained"
    shutil.rmtree(trained, ignore_errors=True)
    made = recipe(base, data, method="lora", cutoff=512, batch=16, micro_batch=4, steps=arguments.steps, lr=2e-3)
    (arguments.out / "recipe.toml").write_text(toml(made))
    run(arguments, "train", arguments.out / "recipe.toml", "--out", trained)
    prompts = arguments.out / "prompts.json"
    asked = [s["symbol"] for s in summaries[-arguments.prompts :]]
    prompts.write_text(json.dumps([{"instruction": QUESTION.format(a), "input": "", "output": ""} for a in asked]))

    result: dict[str, Any] = {"models": [], "steps": arguments.steps}
    for name, adapter in [("geneverse-nano", None), ("with its adapter", trained / "adapter")]:
        with_adapter = ["--adapter", adapter] if adapter else []
        answers = answers_of(arguments, base, prompts, *with_adapter, "--prompt", "alpaca")
        for kind in TYPES:
            path = arguments.out / f"nano-{len(result['models']) // len(TYPES)}-{kind}.gguf"
            written = export(arguments, base, path, "--type", kind, "--prompt", "alpaca", *with_adapter)
            model = load(path, 1024)
            row = {"model": name, "type": kind, "bytes": written["written"]["bytes"], "seconds": written["seconds"]}
            if kind == "f32":
                row |= ids_of(model, tokenizer)
            row |= logits_of(arguments, model, tokenizer, base, adapter)
            row |= greedy_of(arguments, model, tokenizer, asked, answers)
            row["template"] = model.metadata["tokenizer.chat_template"]
            row["chat"] = chat_is_asked_as_trained(model)
            result["models"].append(row)
            model.close()
        if adapter:
            guarded = answers_of(arguments, base, prompts, *with_adapter, "--prompt", "alpaca", guarded=True)
            result["folder"] = folder_of(arguments, base, adapter, asked, answers, guarded, tokenizer)
    result["tensors"] = tensors_of(arguments.out / "nano-0-f32.gguf", base)
    return result


def answers_of(
    arguments: argparse.Namespace, base: Path, prompts: Path, *more: str | Path, guarded: bool = False
) -> list[str]:
    """What `generate` answers, without the model's own guard against loops unless it is `guarded`."""
    ours = arguments.out / "ours.jsonl"
    for old in arguments.out.glob("ours.jsonl*"):
        old.unlink()
    guard = [] if guarded else ["--no-repeat-ngram-size", "0", "--repetition-penalty", "1"]
    run(arguments, "generate", "--model", base, *more, "--prompts", prompts, "--out", ours, "--max-new-tokens",
        str(arguments.tokens), *guard)
    return [json.loads(line)["answer"] for line in ours.read_text().splitlines()]


def quickstart(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Adapters that a quickstart has trained, merged and handed over."""
    base, rows = arguments.quickstart / "base-model", []
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    symbols = [json.loads(line)["symbol"] for line in (ROOT / "data/genes.jsonl").read_text().splitlines()]
    asked = symbols[:: max(1, len(symbols) // arguments.prompts)][: arguments.prompts]
    prompts = arguments.out / "asked.json"
    prompts.write_text(json.dumps([{"instruction": QUESTION.format(a), "input": "", "output": ""} for a in asked]))
    for adapter in sorted({path.parent.resolve() for path in arguments.quickstart.glob("**/adapter_config.json")}):
        name = str(adapter.parent.name)
        answers = answers_of(arguments, base, prompts, "--adapter", adapter)
        guarded = answers_of(arguments, base, prompts, "--adapter", adapter, guarded=True)
        folder = folder_of(arguments, base, adapter, asked, answers, guarded, tokenizer, plain)
        row: dict[str, Any] = {"adapter": name, "different": len(set(answers)), "words": sum(len(a.split()) for a in answers),
                               "folder": folder, "types": {}}
        for kind in TYPES:
            path = arguments.out / f"quickstart-{name}-{kind}.gguf"
            export(arguments, arguments.out / "merged", path, "--type", kind)
            model = load(path, 1024)
            row["types"][kind] = greedy_of(arguments, model, tokenizer, asked, answers, plain)
            row["types"][kind]["chat"] = chat_is_asked_as_trained(model, plain)
            model.close()
        rows.append(row)
    return rows


def ids_of(model: llama_cpp.Llama, tokenizer: Tokenizer) -> dict[str, Any]:
    """Token ids of the records: texts and tokens that are the same."""
    texts = [*records(), *(alpaca(QUESTION.format(t.split()[0])) for t in records()[::2])]
    same, tokens, apart, examples = 0, 0, 0, []
    for text in texts:
        wanted = tokenizer.encode(text, add_special_tokens=False).ids
        found = model.tokenize(text.encode(), add_bos=False, special=True)
        tokens += len(wanted)
        if wanted == found:
            same += 1
            continue
        spans = borders(tokenizer, wanted) ^ borders(tokenizer, found)
        apart += len(spans)
        if len(examples) < 12:
            at = next((i for i, (a, b) in enumerate(zip(wanted, found)) if a != b), 0)
            names = lambda ids: [tokenizer.id_to_token(i) for i in ids[max(0, at - 2) : at + 5]]
            examples.append([names(wanted), names(found)])
    return {"texts": len(texts), "texts_same": same, "tokens": tokens, "borders_apart": apart, "examples": examples}


def borders(tokenizer: Tokenizer, ids: list[int]) -> set[int]:
    """Where tokens end in a text, in letters of the vocabulary."""
    return set(np.cumsum([len(tokenizer.id_to_token(i)) for i in ids]).tolist())


def logits_of(
    arguments: argparse.Namespace, model: llama_cpp.Llama, tokenizer: Tokenizer, base: Path, adapter: Path | None
) -> dict[str, Any]:
    ids = [1, *tokenizer.encode(alpaca(QUESTION.format("GLI1")), add_special_tokens=False).ids]
    out = arguments.out / "logits.safetensors"
    out.unlink(missing_ok=True)
    with_adapter = ["--adapter", adapter] if adapter else []
    run(arguments, "inspect", "logits", "--model", base, *with_adapter, "--ids", ",".join(map(str, ids)), "--out", out)
    wanted, found = load_file(out)["logits"], logits(model, ids)
    return {
        "logits_apart": float(np.abs(found - wanted).max()), "largest": float(np.abs(wanted).max()),
        "next_same": float((found.argmax(-1) == wanted.argmax(-1)).mean()), "logits_of": len(ids),
    }


def greedy_of(
    arguments: argparse.Namespace, model: llama_cpp.Llama, tokenizer: Tokenizer, asked: list[str], answers: list[str],
    put: Callable[[str], str] = alpaca,
) -> dict[str, Any]:
    """Greedy answers to the same ids as ours, and where they part: how close the call was."""
    equal, calls, agreed, total = 0, [], 0, 0
    for symbol, answer in zip(asked, answers, strict=True):
        ids = [1, *tokenizer.encode(put(QUESTION.format(symbol)), add_special_tokens=False).ids]
        model.reset()
        model.eval(ids)
        found: list[int] = []
        margins = []
        while len(found) < arguments.tokens:
            row = np.array(model.scores[model.n_tokens - 1])
            best = np.argsort(row)[-2:]
            if best[1] == 2:
                break
            found.append(int(best[1]))
            margins.append(float(row[best[1]] - row[best[0]]))
            model.eval([found[-1]])
        text = tokenizer.decode(found, skip_special_tokens=True)
        ours = tokenizer.encode(answer, add_special_tokens=False).ids
        first = next((i for i, (a, b) in enumerate(zip(ours, found)) if a != b), min(len(ours), len(found)))
        total += max(len(ours), 1)
        if text.strip() == answer.strip():
            equal += 1
            agreed += max(len(ours), 1)
        else:
            agreed += first
            calls.append(margins[first] if first < len(margins) else 0.0)
    return {"answers": len(asked), "equal": equal, "agreed_until": agreed / total, "close_calls": sorted(calls)}


def chat_is_asked_as_trained(model: llama_cpp.Llama, put: Callable[[str], str] = alpaca) -> bool:
    """Whether llama-cpp-python's chat puts the question as training did."""
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    formatter = Jinja2ChatFormatter(model.metadata["tokenizer.chat_template"], eos_token="</s>", bos_token="<s>")
    made = formatter(messages=[{"role": "user", "content": QUESTION.format("GLI1")}])
    return made.prompt == "<s>" + put(QUESTION.format("GLI1"))


def folder_of(
    arguments: argparse.Namespace, base: Path, adapter: Path, asked: list[str], answers: list[str],
    guarded: list[str], tokenizer: Tokenizer, put: Callable[[str], str] = alpaca,
) -> dict[str, Any]:
    """The folder that `adapter merge` writes, in transformers: what vLLM reads."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = arguments.out / "merged"
    shutil.rmtree(folder, ignore_errors=True)
    run(arguments, "adapter", "merge", "--model", base, "--adapter", adapter, "--out", folder, "--precision", "f32")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    theirs = AutoTokenizer.from_pretrained(folder)

    def equal(answers: list[str], **more: Any) -> int:
        same = 0
        for symbol, answer in zip(asked, answers, strict=True):
            messages = [{"role": "user", "content": QUESTION.format(symbol)}]
            made = theirs.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            assert made == "<s>" + put(QUESTION.format(symbol)), made
            ids = theirs(made, return_tensors="pt", add_special_tokens=False).input_ids
            with torch.no_grad():
                found = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=arguments.tokens, **more)
            same += tokenizer.decode(found[0, ids.shape[1] :].tolist(), skip_special_tokens=True).strip() == answer.strip()
        return same

    # Without the guard against loops, and as the folder says, with it: what a call leaves out is the folder's.
    return {
        "files": sorted(p.name for p in folder.iterdir()), "answers": len(asked),
        "equal": equal(answers, no_repeat_ngram_size=0), "equal_as_it_is": equal(guarded),
        "generation_config": json.loads((folder / "generation_config.json").read_text()),
    }


def tensors_of(path: Path, base: Path) -> dict[str, Any]:
    """The file's tensors as PyPI's `gguf` reads them, against the checkpoint's."""
    reader = gguf.GGUFReader(path)
    from safetensors import safe_open

    config = json.loads((base / "config.json").read_text())
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    found = {t.name: t for t in reader.tensors}
    equal = 0
    with safe_open(base / "model.safetensors", "pt") as tensors:
        for name in tensors.keys():
            wanted = tensors.get_tensor(name).float().numpy()
            for part, heads in [("q_proj", "num_attention_heads"), ("k_proj", "num_key_value_heads")]:
                if part in name:
                    n = config[heads]
                    wanted = wanted.reshape(n, 2, wanted.shape[0] // n // 2, -1).swapaxes(1, 2).reshape(wanted.shape)
            tensor = found.pop(names.get_name(name, (".weight",)))
            numbers = gguf.dequantize(tensor.data, tensor.tensor_type).reshape(wanted.shape)
            assert tensor.data_offset % 32 == 0 and (numbers == wanted).all(), name
            equal += 1
    return {"equal": equal, "left_over": sorted(found), "keys": len(reader.fields)}


def tables(result: dict[str, Any]) -> str:
    lines = []
    if rows := result.get("families"):
        lines += ["| checkpoint | architecture | f32 | f16 | q8_0 |", "|---|---|---:|---:|---:|"]
        for row in rows:
            cells = [f"{c['apart'] / c['largest']:.1e}, {c['same']}/{c['tokens']}" if "apart" in c else "no: " + c["error"]
                     for c in (row[kind] for kind in TYPES)]
            lines.append(f"| {row['family']} | {row.get('architecture', '')} | {' | '.join(cells)} |")
        lines.append("\nLargest difference of logits, as a share of the largest, and next tokens that are the same.\n")
    if rows := result.get("tokenizers"):
        lines += ["| tokenizer | texts | same ids |", "|---|---:|---:|"]
        lines += [f"| {r['tokenizer']} | {r['texts']} | {r['same']} |" for r in rows] + [""]
    if "nano" in result:
        lines += ["| model | type | MB | logits apart | next same | answers the same | alike until | closest calls where they part |",
                  "|---|---|---:|---:|---:|---:|---:|---|"]
        for r in result["nano"]["models"]:
            calls = ", ".join(f"{c:.3f}" for c in r["close_calls"][-3:])
            lines.append(
                f"| {r['model']} | {r['type']} | {r['bytes'] / 1e6:.1f} | {r['logits_apart']:.1e} of {r['largest']:.1f} | "
                f"{100 * r['next_same']:.1f} % | {r['equal']}/{r['answers']} | {100 * r['agreed_until']:.1f} % | {calls} |")
            if "texts" in r:
                print(f"{r['model']}: ids of {r['texts_same']}/{r['texts']} texts the same, {r['borders_apart']} borders of "
                      f"{r['tokens']} tokens apart", file=sys.stderr)
        lines.append(f"\nFolder in transformers: {json.dumps(result['nano']['folder'])}\n")
    if rows := result.get("quickstart"):
        lines += ["| adapter of the quickstart, merged | in | answers the same | alike until | closest calls where they part |",
                  "|---|---|---:|---:|---|"]
        for row in rows:
            of = f"{row['adapter']}, {row['different']} different answers of {row['words']} words"
            of_folder = row["folder"]
            lines.append(f"| {of} | transformers | {of_folder['equal']}/{of_folder['answers']} | | |")
            lines.append(f"| | transformers, with the model's guard | {of_folder['equal_as_it_is']}/{of_folder['answers']} | | |")
            for kind, r in row["types"].items():
                calls = ", ".join(f"{c:.3f}" for c in r["close_calls"][-3:])
                lines.append(f"| | llama.cpp, {kind} | {r['equal']}/{r['answers']} | {100 * r['agreed_until']:.1f} % | {calls} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--geneverse", type=Path, default=ROOT / "target/release/geneverse")
    parser.add_argument("--out", type=Path, default=ROOT / "target/gguf")
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=96, help="longest answer")
    parser.add_argument("--steps", type=int, default=24, help="of the adapter's training")
    parser.add_argument("--only", choices=["families", "tokenizers", "nano", "none"], nargs="*")
    parser.add_argument("--quickstart", type=Path, help="a quickstart's folder")
    parser.add_argument("families", nargs="*", default=FAMILIES)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    parts = arguments.only or ["families", "tokenizers", "nano"]
    path = arguments.out / "gguf.json"
    result = json.loads(path.read_text()) if path.exists() else {}
    if "families" in parts:
        result["families"] = families(arguments, arguments.families)
    if "tokenizers" in parts:
        result["tokenizers"] = tokenizers(arguments)
    if "nano" in parts:
        result["nano"] = nano(arguments)
    if arguments.quickstart:
        result["quickstart"] = quickstart(arguments)
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False))
    text = tables(result)
    (arguments.out / "gguf.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
