"""The engine process: monitor, signal, risk, execute, remember."""
