"""A model file of 120 kB with random weights, which llama.cpp loads at once: noise for answers, real manners."""

import itertools
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy

WIDTH, HEADS, INNER, WINDOW = 32, 2, 64, 4096
UNKNOWN, CONTROL, NORMAL, BYTE, SPELT = 2, 3, 1, 6, 4
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
TOOL_TEMPLATE = """\
{%- if tools %}system: You may call tools.
<tools>
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}</tools>
Write a call as <tool_call>
{"name": <name>, "arguments": <object>}
</tool_call>
{% endif %}
{%- for m in messages %}{{ m['role'] }}: {{ m['content'] or '' }}
{%- for call in m['tool_calls'] or [] %}
<tool_call>
{"name": "{{ call['function']['name'] }}", "arguments": {{ call['function']['arguments'] | tojson }}}
</tool_call>{% endfor %}
{% endfor %}
{%- if add_generation_prompt %}assistant: {% if tools and messages[-1]['role'] != 'tool' %}A{% endif %}{% endif %}"""
"""With it the server knows how calls of tools are written. A prompt that may be answered by one ends with `A`."""
CALL = ("<tool", '_call>\n{"name": "read_', 'file", "arguments": {"path"', ': "a.py"}}\n</tool', "_call>")
"""Tokens that follow such an `A`, and each other; none is a word that the server waits for."""
_CALL_BEGINS, _STRONG = 0x41 + 3, 50.0


def write_tiny_gguf(path: Path, *, seed: int = 1, calls: bool = False) -> Path:
    """Writes the file: one layer, a vocabulary of bytes and letters, a window of 4,096 tokens.

    Args:
        path: of the file.
        seed: of its weights.
        calls: where it is offered tools it calls `read_file` for `a.py`, and says noise only once it was answered.
    """
    pieces = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)]
    pieces += [(f"<0x{byte:02X}>", BYTE) for byte in range(256)]
    pieces += [(letter, NORMAL) for letter in "▁abcdefghijklmnopqrstuvwxyz"]
    pieces += [(piece, SPELT) for piece in CALL] if calls else []
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(WINDOW)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([piece for piece, _ in pieces])
    writer.add_token_types([kind for _, kind in pieces])
    writer.add_token_scores([-float(place) for place in range(len(pieces))])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template(TOOL_TEMPLATE if calls else TEMPLATE)
    chance = numpy.random.default_rng(seed)
    tensors: dict[str, Any] = {}
    for name, *shape in _tensors(len(pieces)):
        tensors[name] = numpy.ones(shape) if "norm" in name else chance.normal(0, 0.1, shape)
    if calls:
        _teach(tensors, len(pieces))
    for name, values in tensors.items():
        writer.add_tensor(name, values.astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _teach(tensors: dict[str, Any], words: int) -> None:
    """Makes each token of the call follow the one before it: a dimension says which token was last, one is always 1."""
    first = words - len(CALL)
    chain = [_CALL_BEGINS, *range(first, words), 2]
    tensors["blk.0.attn_output.weight"][:] = 0
    tensors["blk.0.ffn_down.weight"][:] = 0
    seen, told = tensors["token_embd.weight"], tensors["output.weight"]
    seen[:, : len(CALL) + 1] = told[:, : len(CALL) + 1] = 0
    seen[:, -1] = 1
    told[first:] = 0
    told[first:, -1] = -_STRONG
    told[2, -1] = -_STRONG
    for place, (last, following) in enumerate(itertools.pairwise(chain)):
        seen[last] = 0
        seen[last, place] = seen[last, -1] = 1
        told[following, place] = 3 * _STRONG


def _tensors(words: int) -> list[tuple[str, int] | tuple[str, int, int]]:
    square = [(f"blk.0.attn_{part}.weight", WIDTH, WIDTH) for part in ("q", "k", "v", "output")]
    return [
        ("token_embd.weight", words, WIDTH),
        ("output.weight", words, WIDTH),
        ("output_norm.weight", WIDTH),
        ("blk.0.attn_norm.weight", WIDTH),
        ("blk.0.ffn_norm.weight", WIDTH),
        ("blk.0.ffn_gate.weight", INNER, WIDTH),
        ("blk.0.ffn_up.weight", INNER, WIDTH),
        ("blk.0.ffn_down.weight", WIDTH, INNER),
        *square,
    ]


if __name__ == "__main__":
    write_tiny_gguf(Path(sys.argv[1]))
