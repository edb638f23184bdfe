"""Golden logits of a tiny Gemma 3n text model, made with the original code: the file models/gemma3n/modeling_gemma3n.py of
the Python package `transformers` (4.57), whose imports from the rest of that package are replaced by stand-ins, so that any
PyTorch runs it. Weights are a formula of their name, which src/nn/gemma3n.test.ts repeats; only the logits are stored.

    pip download transformers==4.57.6 --no-deps && unzip transformers-*.whl
    python3 scripts/golden-gemma3n.py transformers/models/gemma3n/modeling_gemma3n.py > src/nn/_golden/gemma3n.json
"""
import importlib.util
import json
import math
import sys
import types

import torch

CONFIG = dict(
    vocab_size=13, vocab_size_per_layer_input=13, hidden_size=16, hidden_size_per_layer_input=4,
    intermediate_size=[24] * 4, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, head_dim=4,
    hidden_activation="gelu_pytorch_tanh", max_position_embeddings=32, rms_norm_eps=1e-6, pad_token_id=None,
    rope_theta=10000.0, rope_local_base_freq=100.0, rope_scaling=None, attention_bias=False, attention_dropout=0.0,
    sliding_window=3, layer_types=["sliding_attention", "full_attention"] * 2, final_logit_softcapping=5.0,
    altup_active_idx=0, altup_coef_clip=120.0, altup_correct_scale=True, altup_num_inputs=3, num_kv_shared_layers=2,
    laurel_rank=5, activation_sparsity_pattern=[0.0] * 4, _attn_implementation="eager", use_cache=False,
    output_attentions=False, output_hidden_states=False,
)
IDS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 12, 8, 0]


class Output:
    def __init__(self, **fields):
        self.__dict__.update(fields)


def same(x=None, *_args, **_kwargs):
    return x if callable(x) else (lambda f: f)


def masks(window):
    def make(input_embeds, config, **_):
        length = input_embeds.shape[1]
        i = torch.arange(length)
        ahead = i[None, :] - i[:, None]
        reach = config.sliding_window if window else length
        hidden = (ahead > 0) | (ahead <= -reach)
        return torch.where(hidden, -1e9, 0.0)[None, None]

    return make


class PreTrainedModel(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config

    def post_init(self):
        pass


class Shared:
    """Holds the keys and values that the last layers share, for one call without a past."""

    def get_seq_length(self):
        return 0

    def update(self, k, v, *_):
        return k, v


def stand_in(name, **values):
    module = types.ModuleType(name)
    module.__dict__.update(values)
    module.__path__ = []
    sys.modules[name] = module


class Anything:
    def __class_getitem__(cls, _):
        return cls


def load(path):
    def default_rope(config, _device):
        half = torch.arange(0, config.head_dim, 2).float() / config.head_dim
        return 1.0 / config.rope_theta**half, 1.0

    t = "transformers"
    for name in [t, t + ".models", t + ".models.gemma3n"]:
        stand_in(name)
    gelu = lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    stand_in(t + ".activations", ACT2FN={"gelu_pytorch_tanh": gelu})
    stand_in(t + ".cache_utils", Cache=Anything, DynamicCache=Anything)
    stand_in(t + ".generation", GenerationMixin=type("GenerationMixin", (), {}))
    stand_in(t + ".masking_utils", create_causal_mask=masks(False), create_sliding_window_causal_mask=masks(True))
    stand_in(t + ".modeling_flash_attention_utils", FlashAttentionKwargs=Anything)
    stand_in(t + ".modeling_layers", GradientCheckpointingLayer=torch.nn.Module)
    stand_in(t + ".modeling_outputs", BaseModelOutputWithPast=Output, CausalLMOutputWithPast=Output)
    stand_in(t + ".modeling_rope_utils", ROPE_INIT_FUNCTIONS={"default": default_rope}, dynamic_rope_update=same)
    stand_in(t + ".modeling_utils", ALL_ATTENTION_FUNCTIONS={}, PreTrainedModel=PreTrainedModel)
    stand_in(t + ".processing_utils", Unpack=Anything)
    log = types.SimpleNamespace(get_logger=lambda _: None)
    stand_in(t + ".utils", ModelOutput=Output, TransformersKwargs=Anything, auto_docstring=same, can_return_tuple=same, logging=log)
    stand_in(t + ".utils.deprecation", deprecate_kwarg=lambda *_a, **_k: same)
    stand_in(t + ".models.auto", AutoModel=Anything)
    configs = ["Gemma3nAudioConfig", "Gemma3nConfig", "Gemma3nTextConfig", "Gemma3nVisionConfig"]
    stand_in(t + ".models.gemma3n.configuration_gemma3n", **{c: Anything for c in configs})
    spec = importlib.util.spec_from_file_location(t + ".models.gemma3n.modeling_gemma3n", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def value(name, shape):
    """Numbers of a weight: sines whose phase is a hash of the name."""
    h = 2166136261
    for c in name.encode():
        h = ((h ^ c) * 16777619) & 0xFFFFFFFF
    count = math.prod(shape)
    wave = torch.sin(torch.arange(count, dtype=torch.float64) * 12.9898 + (h % 1000) / 7)
    wide = torch.ones(count, dtype=torch.float64) + 0.2 * wave if len(shape) == 1 else 0.3 * wave
    return wide.reshape(shape).float()


def main():
    gemma = load(sys.argv[1])
    model = gemma.Gemma3nForCausalLM(types.SimpleNamespace(**CONFIG)).eval()
    model.lm_head.weight = model.model.embed_tokens.weight
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(value(name, weight.shape))
        logits = model(torch.tensor([IDS]), past_key_values=Shared()).logits[0]
    names = sorted(name for name, _ in model.named_parameters())
    json.dump({"ids": IDS, "weights": names, "logits": [[round(float(x), 7) for x in row] for row in logits]}, sys.stdout)
    print()


main()
