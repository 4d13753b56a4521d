"""A model file of 120 kB with random weights, which llama.cpp loads at once: noise for answers, real manners."""

import sys
from pathlib import Path

import gguf
import numpy

WIDTH, HEADS, INNER, WINDOW = 32, 2, 64, 4096
UNKNOWN, CONTROL, NORMAL, BYTE = 2, 3, 1, 6
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"


def write_tiny_gguf(path: Path, *, seed: int = 1) -> Path:
    """Writes the file: one layer, a vocabulary of bytes and letters, a window of 4,096 tokens."""
    pieces = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)]
    pieces += [(f"<0x{byte:02X}>", BYTE) for byte in range(256)]
    pieces += [(letter, NORMAL) for letter in "▁abcdefghijklmnopqrstuvwxyz"]
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
    writer.add_chat_template(TEMPLATE)
    chance = numpy.random.default_rng(seed)
    for name, *shape in _tensors(len(pieces)):
        values = numpy.ones(shape) if "norm" in str(name) else chance.normal(0, 0.1, shape)
        writer.add_tensor(str(name), values.astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


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
