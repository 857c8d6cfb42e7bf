"""Small random checkpoints in the layouts in which BioMedLM, BioGPT, BioMistral and LLaMA-Pro are published, asked and trained.

    python3 -m venv peer && peer/bin/pip install torch==2.15.0 transformers==5.24.0 sentencepiece==0.2.3 sacremoses==0.2.0
    peer/bin/python make_base_goldens.py

The tokenizers are those of tokenizers/, the fields of config.json those of the published files, and only the sizes are others:

    biomedlm      huggingface.co/stanford-crfm/BioMedLM: GPT-2 with scores divided by the layer's number; the last id of the
                  vocabulary, <|endoftext|>, begins and ends (28895 of 28896)
    biogpt        huggingface.co/microsoft/BioGPT-Large: its tokenizer puts </s> (2) before a text, which ends one too;
                  `bos_token_id` 0 of its config.json begins nothing
    biomistral    huggingface.co/BioMistral/BioMistral-7B: Mistral-7B-Instruct-v0.1, asked in its words
    llama_pro     huggingface.co/TencentARC/LLaMA-Pro-8B-Instruct: a Llama of more layers, asked in Tulu's words

Writes beside itself bases/<name>/ and bases/expected.json: for each question the ids that it is asked by, the ids that
transformers' `generate` says greedily (at most 24), and whether an end token stopped it; and for examples the mean loss over
the answers' tokens, an end token included, which is the first loss of a training with LoRA.
"""
import json
import os
import shutil

import sentencepiece
import torch
from golden import load
from make_family_goldens import randomize
from transformers import (AutoModelForCausalLM, BioGptConfig, BioGptTokenizer, GPT2Config, GPT2Tokenizer, LlamaConfig,
                          MistralConfig)

QUESTIONS = ["What is GLI1?", "Name the gene's official symbol.", "What does the gene BRCA1 encode?",
             "Where is TP53 located?", "Is HLA-A a gene of Homo sapiens?", "Tell me of IL-2 and TNF-alpha."]
EXAMPLES = [("What is GLI1?", "GLI1 encodes a member of the Kruppel family of zinc finger proteins."),
            ("Where is TP53 located?", "On chromosome 17p13.1."), ("What is MICA?", "A protein coding gene."),
            ("Name the gene's official symbol.", "The official symbol of this gene is GLI1.")]
LONGEST = 24


class Pieces:
    """SentencePiece's model alone: a text's ids after <s>."""

    def __init__(self, folder):
        self.model = sentencepiece.SentencePieceProcessor(model_file=os.path.join(folder, "tokenizer.model"))

    def encode(self, text):
        return [1] + self.model.encode(text)


class Words:
    """A tokenizer of transformers; `before` is what it does not put before a text itself."""

    def __init__(self, tokenizer, before=()):
        self.tokenizer, self.before = tokenizer, list(before)

    def encode(self, text):
        return self.before + self.tokenizer(text).input_ids


BASES = {
    "biomedlm": dict(
        files="gpt2", names=["vocab.json", "merges.txt"], begins=420, end=420, template="{}\n", name="plain",
        tokenizer=lambda folder: Words(GPT2Tokenizer.from_pretrained(folder), [420]),
        beside={"tokenizer_config.json": {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token":
                "<|endoftext|>", "model_max_length": 1024, "tokenizer_class": "GPT2Tokenizer"}},
        config=GPT2Config(n_embd=24, n_layer=3, n_head=4, n_positions=128, vocab_size=421, bos_token_id=420,
                          eos_token_id=420, activation_function="gelu_new", scale_attn_by_inverse_layer_idx=True,
                          resid_pdrop=0.1, embd_pdrop=0.1, attn_pdrop=0.1, reorder_and_upcast_attn=False)),
    "biogpt": dict(
        files="biogpt", names=["vocab.json", "merges.txt"], begins=2, end=2, template="{}\n", name="plain",
        tokenizer=lambda folder: Words(BioGptTokenizer.from_pretrained(folder)),
        beside={"tokenizer_config.json": {"bos_token": "<s>", "eos_token": "</s>", "model_max_length": 1024, "pad_token":
                "<pad>", "sep_token": "</s>", "tokenizer_class": "BioGptTokenizer", "unk_token": "<unk>"}},
        config=BioGptConfig(hidden_size=24, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48,
                            vocab_size=226, max_position_embeddings=128, hidden_act="gelu", scale_embedding=True,
                            bos_token_id=0, pad_token_id=1, eos_token_id=2)),
    "biomistral": dict(
        files="llama", names=["tokenizer.model", "special_tokens_map.json"], begins=1, end=2,
        template="[INST] {} [/INST]", name="mistral", before=" ", tokenizer=Pieces, beside={},
        config=MistralConfig(hidden_size=24, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
                             intermediate_size=36, vocab_size=400, max_position_embeddings=256, sliding_window=64,
                             rms_norm_eps=1e-5, rope_theta=10000.0, bos_token_id=1, eos_token_id=2)),
    "llama_pro": dict(
        files="llama", names=["tokenizer.model", "special_tokens_map.json"], begins=1, end=2,
        template="<|user|>\n{}\n<|assistant|>\n", name="tulu", tokenizer=Pieces, beside={},
        config=LlamaConfig(hidden_size=24, num_hidden_layers=5, num_attention_heads=4, num_key_value_heads=4,
                           intermediate_size=36, vocab_size=400, max_position_embeddings=256, rms_norm_eps=1e-5,
                           rope_theta=10000.0, pretraining_tp=1, tie_word_embeddings=False, bos_token_id=1,
                           eos_token_id=2)),
}


@torch.no_grad()
def answer(model, ids, end):
    """The greedy continuation, and how close a choice was at most."""
    prompt = torch.tensor([ids])
    said = model.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=LONGEST,
                          eos_token_id=end, pad_token_id=end)[0, len(ids):]
    best = model(input_ids=torch.cat([prompt[0], said])[None]).logits[0, len(ids) - 1:-1].topk(2)
    assert torch.equal(best.indices[:, 0], said), "cached and whole passes differ"
    return said.tolist(), (best.values[:, 0] - best.values[:, 1]).min().item()


@torch.no_grad()
def loss(model, tokenizer, base):
    """Mean over the answers' tokens and the end tokens after them, of all examples together."""
    total, count = 0.0, 0
    for question, text in EXAMPLES:
        prompt = base["template"].format(question)
        ids = tokenizer.encode(prompt + base.get("before", "") + text) + [base["end"]]
        asked = len(tokenizer.encode(prompt))
        # The two are encoded as one text; the border must be one of tokens, or "the answer's tokens" would mean little.
        assert ids[:asked] == tokenizer.encode(prompt), (question, text)
        ids = torch.tensor(ids)
        logits = model(input_ids=ids[None]).logits[0, asked - 1:-1]
        total += torch.nn.functional.cross_entropy(logits, ids[asked:], reduction="sum").item()
        count += len(ids) - asked
    return total / count


def questions(model, tokenizer, base):
    """What is said to each question; nothing where a choice is close, or the same token comes over and over."""
    asked = []
    for question in QUESTIONS:
        prompt = base["template"].format(question)
        ids = tokenizer.encode(prompt)
        assert ids[0] == base["begins"], ids
        said, margin = answer(model, ids, base["end"])
        if margin < 1e-3 or len(said) > 4 and len(set(said)) < 4:
            return []
        ended = said[-1] == base["end"]
        asked.append(dict(question=question, ids=ids, said=said, ended=ended))
    return asked


def make(name, base):
    folder = os.path.join("bases", name)
    os.makedirs(folder)
    for file in base["names"]:
        shutil.copy(os.path.join("tokenizers", base["files"], file), folder)
    for file, contents in base["beside"].items():
        with open(os.path.join(folder, file), "w") as handle:
            json.dump(contents, handle)
    tokenizer = base["tokenizer"](folder)
    for seed in range(2000):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(base["config"], attn_implementation="eager").eval()
        randomize(model)
        asked = questions(model, tokenizer, base)
        ended = sum(one["ended"] for one in asked)
        if 0 < ended < len(asked):
            break
    assert asked, f"{name}: no seed will do"
    print(f"{name}: seed {seed}, {ended} of {len(asked)} end", flush=True)
    model.save_pretrained(folder)
    assert questions(load(folder).eval(), tokenizer, base) == asked, "what is read again says something else"
    return dict(template=base["name"], end=base["end"], asked=asked, loss=loss(model, tokenizer, base))


if __name__ == "__main__":
    shutil.rmtree("bases", ignore_errors=True)
    made = {name: make(name, base) for name, base in BASES.items()}
    with open("bases/expected.json", "w") as handle:
        json.dump(dict(examples=EXAMPLES, longest=LONGEST, bases=made), handle, ensure_ascii=False, indent=1)
        handle.write("\n")
