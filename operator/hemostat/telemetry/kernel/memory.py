"""Loads and stores at an address, for compiled code.

numba counts references whenever an array is passed to a function, with locked instructions that took nine tenths of a
scan. Addresses cost nothing; in exchange nothing checks them but the functions themselves, so a test runs those against
a page that must not be touched (tests/fuzz). Call nothing here from Python.
"""

from typing import TYPE_CHECKING, Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

_WORD, _BYTE = ir.IntType(64), ir.IntType(8)

if TYPE_CHECKING:

    def byte(address: int) -> int:
        """Read a byte."""
        ...

    def word(address: int) -> int:
        """Read eight bytes, little endian, from any address."""
        ...

    def put(address: int, column: int, value: int) -> None:
        """Write eight bytes to a column of the row at an address."""
        ...

    def prefetch(address: int) -> None:
        """Have the cache line of an address fetched meanwhile; the address may be any."""
        ...

    def as_double(value: int) -> int:
        """Return the bits of a number as a double."""
        ...

else:

    @intrinsic
    def byte(_typing: Any, address: Any) -> Any:  # noqa: ARG001 - numba reads the names
        """Read a byte."""

        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            place = builder.inttoptr(arguments[0], _BYTE.as_pointer())
            return builder.zext(builder.load(place, align=1), _WORD)

        return types.int64(types.int64), generate

    @intrinsic
    def word(_typing: Any, address: Any) -> Any:  # noqa: ARG001 - numba reads the names
        """Read eight bytes, little endian, from any address."""

        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            place = builder.inttoptr(arguments[0], _WORD.as_pointer())
            return builder.load(place, align=1)

        return types.int64(types.int64), generate

    @intrinsic
    def put(_typing: Any, address: Any, column: Any, value: Any) -> Any:  # noqa: ARG001 - numba reads the names
        """Write eight bytes to a column of the row at an address."""

        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            address, column, value = arguments
            offset = builder.shl(column, ir.Constant(_WORD, 3))
            place = builder.inttoptr(builder.add(address, offset), _WORD.as_pointer())
            builder.store(value, place, align=8)
            return ir.Constant(_WORD, 0)

        return types.int64(types.int64, types.int64, types.int64), generate

    @intrinsic
    def prefetch(_typing: Any, address: Any) -> Any:  # noqa: ARG001 - numba reads the names
        """Have the cache line of an address fetched meanwhile; the address may be any."""

        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            pointer, number = _BYTE.as_pointer(), ir.IntType(32)
            form = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
            function = cgutils.get_or_insert_function(builder.module, form, "llvm.prefetch.p0i8")
            reading, near, data = number(0), number(3), number(1)
            builder.call(function, [builder.inttoptr(arguments[0], pointer), reading, near, data])
            return ir.Constant(_WORD, 0)

        return types.int64(types.int64), generate

    @intrinsic
    def as_double(_typing: Any, value: Any) -> Any:  # noqa: ARG001 - numba reads the names
        """Return the bits of a number as a double."""

        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return builder.bitcast(builder.sitofp(arguments[0], ir.DoubleType()), _WORD)

        return types.int64(types.int64), generate
