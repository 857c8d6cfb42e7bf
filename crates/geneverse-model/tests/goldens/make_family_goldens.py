"""Goldens of one small random model per family, made by transformers and PEFT.

    python3 -m venv peer && peer/bin/pip install torch==2.15.0 transformers==5.23.0 peft==0.21.2
    peer/bin/python make_family_goldens.py [family ...]

Writes beside itself, for each family of FAMILIES: <family>/ (checkpoint), <family>-adapter/ (PEFT adapter with a
random B on every linear map of a layer), and <family>.safetensors:

    ids.0 … ids.3           token ids, uneven lengths
    logits.i                (time, vocabulary) of each sequence alone
    greedy.i                24 tokens that follow greedily, or fewer and an end token (2 or 5)
    full.<parameter>        gradient of the mean loss over all labels of the four sequences
    full_losses, full_lr    ten steps of AdamW on that batch, and their learning rate
    lora_logits             logits of ids.1 with the adapter
    lora.<tensor>           gradient, under the name of the tensor in adapter_model.safetensors
    lora_losses, lora_lr    ten steps

llama_linear has ids, logits and greedy only. The script fails if a golden would hide something: if a peculiarity of
the family (`matters`) does not change the logits, if attention is close to uniform, if a greedy choice is so close
that rounding could decide it, if no continuation meets an end token or all do.
"""
import copy
import shutil
import sys
import torch
from golden import LLAMA_MAPS, adamw, file_name, gradients, load, logits_of, losses_of, make_adapter, write
from peft import LoraConfig
from transformers import (AutoModelForCausalLM, BioGptConfig, Gemma2Config, Gemma3TextConfig, GemmaConfig, GPT2Config,
                          LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config, StableLmConfig)

STOP = [2, 5]
SPECIAL = dict(bos_token_id=1, eos_token_id=2, pad_token_id=3)
DEFAULT_ROPE = {"rope_type": "default", "rope_theta": 10000.0}
LLAMA3_ROPE = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
               "original_max_position_embeddings": 64}

# `seed` is the first with which all checks pass; `matters` lists changes of the configuration, each of which must
# change the logits.
FAMILIES = {
    "llama3": dict(
        seed=23,
        # Wavelengths of 6, 18, 50, 140, 396, 1115 tokens, bounds 16 and 64: one kept, two between, three scaled.
        config=LlamaConfig(hidden_size=28, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
                           head_dim=12, intermediate_size=36, vocab_size=97, rms_norm_eps=1e-5,
                           max_position_embeddings=512, rope_theta=500.0, rope_scaling=LLAMA3_ROPE,
                           tie_word_embeddings=True, **SPECIAL),
        stored=torch.bfloat16, shard="20KB",
        lr=5e-3,
        matters=[dict(rope_parameters={**DEFAULT_ROPE, "rope_theta": 500.0}),
                 dict(rope_parameters={**LLAMA3_ROPE, "rope_theta": 500.0, "high_freq_factor": 1.001})]),
    "llama_linear": dict(
        seed=2,
        config=LlamaConfig(hidden_size=24, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
                           intermediate_size=37, vocab_size=91, rms_norm_eps=1e-5, max_position_embeddings=128,
                           rope_theta=10000.0, rope_scaling={"rope_type": "linear", "factor": 4.0}, **SPECIAL),
        stored=torch.float16, trained=False,
        matters=[dict(rope_parameters=DEFAULT_ROPE)]),
    "mistral": dict(
        seed=31,
        config=MistralConfig(hidden_size=24, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
                             head_dim=10, intermediate_size=33, vocab_size=93, rms_norm_eps=1e-5,
                             max_position_embeddings=128, sliding_window=8, **SPECIAL),
        lr=5e-3,
        matters=[dict(sliding_window=None), dict(sliding_window=9)]),
    "gemma": dict(
        seed=9,
        config=GemmaConfig(hidden_size=24, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=1,
                           head_dim=12, intermediate_size=37, vocab_size=95, max_position_embeddings=128,
                           hidden_act="gelu_pytorch_tanh", **SPECIAL),
        matters=[dict(hidden_act="gelu")]),
    "gemma2": dict(
        seed=18,
        config=Gemma2Config(hidden_size=24, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
                            head_dim=8, intermediate_size=27, vocab_size=91, max_position_embeddings=128,
                            sliding_window=6, attn_logit_softcapping=5.0, final_logit_softcapping=4.0,
                            query_pre_attn_scalar=5, **SPECIAL),
        matters=[dict(sliding_window=7), dict(layer_types=["full_attention"] * 4),
                 dict(layer_types=["full_attention", "sliding_attention"] * 2), dict(attn_logit_softcapping=None),
                 dict(final_logit_softcapping=None), dict(query_pre_attn_scalar=8)]),
    "gemma3_text": dict(
        seed=54,
        config=Gemma3TextConfig(hidden_size=24, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
                                head_dim=8, intermediate_size=27, vocab_size=94, max_position_embeddings=128,
                                sliding_window=5, query_pre_attn_scalar=6,
                                layer_types=["sliding_attention", "sliding_attention", "full_attention",
                                             "sliding_attention"],
                                rope_theta=1e6, rope_local_base_freq=100.0,
                                rope_scaling={"rope_type": "linear", "factor": 8.0}, **SPECIAL),
        matters=[dict(sliding_window=6), dict(layer_types=["sliding_attention"] * 4),
                 dict(layer_types=["full_attention"] * 4), dict(query_pre_attn_scalar=8),
                 *[dict(rope_parameters={"full_attention": {"rope_type": kind, "rope_theta": theta, "factor": 8.0},
                                         "sliding_attention": {"rope_type": "default", "rope_theta": local}})
                   for kind, theta, local in [("default", 1e6, 100.0), ("linear", 1e4, 100.0), ("linear", 1e6, 1e4)]]]),
    "qwen2": dict(
        seed=5,
        config=Qwen2Config(hidden_size=24, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
                           intermediate_size=37, vocab_size=97, max_position_embeddings=128, rope_theta=1e6,
                           tie_word_embeddings=True, **SPECIAL),
        lr=5e-3,
        matters=[dict(rope_parameters=DEFAULT_ROPE)]),
    "qwen3": dict(
        seed=19,
        config=Qwen3Config(hidden_size=24, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
                           head_dim=10, intermediate_size=27, vocab_size=99, max_position_embeddings=128,
                           rope_theta=1e6, tie_word_embeddings=False, **SPECIAL),
        lr=5e-3,
        matters=[dict(rope_parameters=DEFAULT_ROPE)]),
    "stablelm": dict(
        seed=17,
        config=StableLmConfig(hidden_size=32, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
                              intermediate_size=37, vocab_size=97, max_position_embeddings=128, layer_norm_eps=1e-5,
                              use_qkv_bias=True, use_cache=True,
                              rope_parameters=dict(DEFAULT_ROPE, partial_rotary_factor=0.5), **SPECIAL),
        lr=5e-3,
        matters=[dict(rope_parameters=dict(DEFAULT_ROPE, partial_rotary_factor=0.25))]),
    "gpt2": dict(
        seed=11,
        config=GPT2Config(n_embd=24, n_layer=3, n_head=4, n_inner=53, vocab_size=93, n_positions=70,
                          activation_function="gelu_new", scale_attn_by_inverse_layer_idx=True,
                          resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, **SPECIAL),
        maps=["c_attn", "c_proj", "c_fc"],
        matters=[dict(scale_attn_by_inverse_layer_idx=False), dict(activation_function="gelu")]),
    "biogpt": dict(
        seed=40,
        config=BioGptConfig(hidden_size=24, num_hidden_layers=3, num_attention_heads=4, intermediate_size=53,
                            vocab_size=95, max_position_embeddings=70, hidden_act="gelu", scale_embedding=True,
                            hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, **SPECIAL),
        maps=["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"],
        matters=[dict(scale_embedding=False), dict(hidden_act="gelu_pytorch_tanh")]),
}


@torch.no_grad()
def randomize(model):
    """Weights with which layers, attention and logits are all far from doing nothing, and every bias counts."""
    for name, p in model.named_parameters():
        last = name.split(".")[-2]
        if p.ndim == 1:
            p.add_(0.3 * torch.randn_like(p))
            # A final norm of random signs: with a tied output layer a token would else predict itself. Gemma adds 1.
            if last in ["norm", "ln_f", "layer_norm"] and name.endswith("weight"):
                p.copy_(1.5 * torch.randn_like(p) - (1 if "gemma" in model.config.model_type else 0))
            if last in ["q_norm", "k_norm"]: p.add_(0.5)
        elif last in ["embed_tokens", "wte", "wpe", "embed_positions"]:
            p.copy_(0.4 * torch.randn_like(p))
        else:
            inputs = p.shape[0] if last in ["c_attn", "c_proj", "c_fc"] else p.shape[1]
            gain = {"q_proj": 1.6, "k_proj": 1.6, "c_attn": 2.0}.get(last, 1.2)
            p.copy_(gain / inputs ** 0.5 * torch.randn_like(p))


def greedy(model, ids):
    """The greedy continuation, checked against whole passes over what it wrote."""
    new = model.generate(ids[None], attention_mask=torch.ones(1, len(ids), dtype=torch.long), do_sample=False,
                         max_new_tokens=24, eos_token_id=STOP)[0, len(ids):]
    best = logits_of(model, torch.cat([ids, new]))[len(ids) - 1:-1].topk(2)
    assert torch.equal(best.indices[:, 0], new), "cached and whole passes differ"
    margin = (best.values[:, 0] - best.values[:, 1]).min()
    assert margin >= 1e-3, f"a greedy choice is too close: {margin}"
    assert SPECIAL["pad_token_id"] not in new, "a pad token is written"
    assert len(new) < 24 or len(new.unique()) > 4, "the same tokens over and over"
    return new


@torch.no_grad()
def check_nothing_is_hidden(model, config, ids, matters):
    attention = model(input_ids=ids[None], output_attentions=True).attentions
    for layer, weights in enumerate(attention):
        last = weights[0, :, -1]
        uniform = 1 / (last[0] > 0).sum()
        assert last.amax(-1).mean() > 2.5 * uniform, f"layer {layer}: attention is close to uniform"
    logits = logits_of(model, ids)
    assert logits.std() > 1, "logits are close to uniform"
    for change in matters:
        changed = copy.deepcopy(config)
        for field, value in change.items(): setattr(changed, field, value)
        other = AutoModelForCausalLM.from_config(changed, attn_implementation="eager").float().eval()
        other.load_state_dict(model.state_dict())
        difference = (logits_of(other, ids) - logits).abs().max()
        assert difference > 1e-3, f"{change} changes the logits by {difference} only"


def make(family, seed, config, matters, stored=torch.float32, shard="1GB", trained=True, maps=LLAMA_MAPS, lr=1e-2):
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(copy.deepcopy(config), attn_implementation="eager")
    randomize(model)
    model.generation_config.eos_token_id = STOP
    shutil.rmtree(family, ignore_errors=True)
    model.to(stored).save_pretrained(family, max_shard_size=shard)
    # From here on in f32, from the weights as they were rounded when stored.
    model = load(family)

    sequences = [torch.randint(6, config.vocab_size, (n,)) for n in [2, 7, 19, 40]]
    out = {f"ids.{i}": ids for i, ids in enumerate(sequences)}
    check_nothing_is_hidden(model, config, sequences[3], matters)
    for i, ids in enumerate(sequences):
        out[f"logits.{i}"] = logits_of(model, ids)
        out[f"greedy.{i}"] = greedy(model, ids).int()
    ended = [out[f"greedy.{i}"][-1] in STOP for i in range(4)]
    assert any(ended) and not all(ended), f"continuations that end: {ended}"

    if trained:
        out.update({f"full.{name}": g for name, g in gradients(model, sequences).items()})
        out["full_losses"] = losses_of(model, sequences, adamw(lr))
        out["full_lr"] = torch.tensor(lr)

        lora = LoraConfig(r=3, lora_alpha=7, lora_dropout=0.0, bias="none", task_type="CAUSAL_LM",
                          target_modules=maps, fan_in_fan_out=family == "gpt2")
        model = make_adapter(family, lora, f"{family}-adapter")
        out["lora_logits"] = logits_of(model, sequences[1])
        out.update({f"lora.{file_name(name)}": g for name, g in gradients(model, sequences).items()})
        out["lora_losses"] = losses_of(model, sequences, adamw(1e-2))
        out["lora_lr"] = torch.tensor(1e-2)
    write(out, f"{family}.safetensors")


if __name__ == "__main__":
    for family in sys.argv[1:] or FAMILIES:
        make(family, **FAMILIES[family])
