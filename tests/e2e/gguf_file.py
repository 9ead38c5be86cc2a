"""Writes small GGUF files for tests from numpy arrays, any tensor type by its number."""

import struct
from pathlib import Path

import numpy as np

F32, F16, I2_S, TL1, TL2 = 0, 1, 36, 38, 42
ALIGNMENT = 32


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def value(item) -> tuple[int, bytes]:
    """(GGUF's type number, bytes) of a str, bool, int (as uint32), float (as float32) or a list."""
    if isinstance(item, str):
        return 8, text(item)
    if isinstance(item, bool):
        return 7, struct.pack("<?", item)
    if isinstance(item, int):
        return 4, struct.pack("<I", item)
    if isinstance(item, float):
        return 6, struct.pack("<f", item)
    kind = value(item[0])[0]
    return 9, struct.pack("<IQ", kind, len(item)) + b"".join(value(x)[1] for x in item)


def padded(n: int) -> int:
    return (n + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


def write(path: Path, metadata: dict, tensors: dict[str, tuple[int, tuple, bytes]]) -> Path:
    """tensors: name -> (type, shape with the row length last, bytes)."""
    with open(path, "wb") as out:
        out.write(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)))
        for key, item in metadata.items():
            kind, data = value(item)
            out.write(text(key) + struct.pack("<I", kind) + data)
        offset = 0
        for name, (kind, shape, data) in tensors.items():
            out.write(text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape)))
            out.write(struct.pack("<IQ", kind, offset))
            offset += padded(len(data))
        out.write(bytes(padded(out.tell()) - out.tell()))
        for _, _, data in tensors.values():
            out.write(data + bytes(padded(len(data)) - len(data)))
    return path


def plain(array: np.ndarray) -> tuple[int, tuple, bytes]:
    """An f32 or f16 array as a tensor."""
    kind = {np.dtype(np.float32): F32, np.dtype(np.float16): F16}[array.dtype]
    return kind, array.shape, array.tobytes()
