"""One question, one streamed answer, from Python: include/quern/quern.h by ctypes, with nothing to install.

    python3 chat.py LIBRARY MODEL.gguf "What is the capital of France?"

LIBRARY is libquern.so (libquern.dylib, quern.dll): a path, or a name the system's loader finds.
"""

import ctypes
import json
import sys
from ctypes import POINTER, byref, c_char_p, c_int32, c_int64, c_size_t, c_void_p

ABI_VERSION = 1

# name: result, arguments. Handles are void pointers.
FUNCTIONS = {
    "quern_abi_version": (c_int32, []),
    "quern_error_text": (c_char_p, [c_void_p]),
    "quern_error_free": (None, [c_void_p]),
    "quern_model_load": (
        c_int32,
        [c_char_p, c_char_p, c_void_p, c_void_p, c_void_p, POINTER(c_void_p), POINTER(c_void_p)],
    ),
    "quern_model_free": (None, [c_void_p]),
    "quern_submit": (c_int32, [c_void_p, c_char_p, POINTER(c_void_p), c_size_t, POINTER(c_void_p)]),
    "quern_stream_next_piece": (c_int32, [c_void_p, c_int64, POINTER(c_void_p), POINTER(c_void_p)]),
    "quern_stream_result": (c_int32, [c_void_p, POINTER(c_void_p), POINTER(c_void_p)]),
    "quern_stream_free": (None, [c_void_p]),
    "quern_piece_text": (c_void_p, [c_void_p, POINTER(c_size_t)]),
    "quern_piece_free": (None, [c_void_p]),
    "quern_string_free": (None, [c_void_p]),
}


def opened(path):
    library = ctypes.CDLL(path)
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    if library.quern_abi_version() != ABI_VERSION:
        raise SystemExit("this program is for another libquern")
    return library


def call(library, name, *arguments):
    """Calls a function that returns a code; an error becomes an exception with its text."""
    error = c_void_p()
    if getattr(library, name)(*arguments, byref(error)) != 0:
        text = library.quern_error_text(error).decode()
        library.quern_error_free(error)
        raise RuntimeError(text)


def pieces(library, stream):
    """The texts of the answer as they come: the bytes of each piece, read where they lie."""
    while True:
        piece, size = c_void_p(), c_size_t()
        call(library, "quern_stream_next_piece", stream, -1, byref(piece))
        if not piece:
            return
        text = library.quern_piece_text(piece, byref(size))
        yield ctypes.string_at(text, size.value).decode()
        library.quern_piece_free(piece)


def answer(library, path, question):
    """Prints the answer as it comes; returns the result, parsed."""
    model, stream, result = c_void_p(), c_void_p(), c_void_p()
    request = {"messages": [{"role": "user", "content": question}], "max_tokens": 256}
    try:
        call(library, "quern_model_load", path.encode(), None, None, None, None, byref(model))
        call(library, "quern_submit", model, json.dumps(request).encode(), byref(stream), 1)
        for text in pieces(library, stream):
            print(text, end="", flush=True)
        print()
        call(library, "quern_stream_result", stream, byref(result))
        return json.loads(ctypes.string_at(result))
    finally:
        library.quern_string_free(result)
        library.quern_stream_free(stream)
        library.quern_model_free(model)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    try:
        answer(opened(sys.argv[1]), sys.argv[2], sys.argv[3])
    except RuntimeError as error:
        raise SystemExit(str(error))
