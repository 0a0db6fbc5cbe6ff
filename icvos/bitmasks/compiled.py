"""What compiled code is made with: numba, its cache on disk, and two instructions that numba does not offer.

The cache notices when the file of a compiled function changes, but not when this one does or a function elsewhere that
is called: so everything that calls each other is in one file, and after a change here the caches have to be emptied.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

EVERY = np.uint64((1 << 64) - 1)  # what `equal_bits` gives for 64 equal bytes


def compiled(signature: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile for one signature, once per machine: later runs read the result from the cache next to this file.

    Where that place cannot be written numba takes the user's cache folder, or the one that ``NUMBA_CACHE_DIR`` names;
    where there is none at all, every process compiles for itself.
    """

    def compile_function(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(signature, cache=True, nogil=True, error_model="numpy")(function)
        except RuntimeError:  # no place for a cache
            return numba.njit(signature, nogil=True, error_model="numpy")(function)

    return compile_function


@intrinsic
def equal_bits(_typing: Any, values: Any, position: Any, value: Any) -> Any:
    """64 bits: which of the 64 bytes of ``values`` from ``position`` on equal ``value``; bounds are not checked."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        start = builder.gep(array.data, [arguments[1]])
        vector = ir.VectorType(ir.IntType(8), 64)
        found = builder.load(builder.bitcast(start, vector.as_pointer()))
        found.align = 1
        wanted = builder.insert_element(ir.Constant(vector, ir.Undefined), arguments[2], ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), 64), [0] * 64)
        wanted = builder.shuffle_vector(wanted, ir.Constant(vector, ir.Undefined), zeros)
        return builder.bitcast(builder.icmp_unsigned("==", found, wanted), ir.IntType(64))

    return types.uint64(values, position, value), generate


@intrinsic
def bit_count(_typing: Any, _word: Any) -> Any:
    """How many bits of a 64-bit word are set."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate
