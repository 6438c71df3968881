"""The gate: facts -> ordered chain of pure checks -> verdict. Whatever is unknown fails closed."""
