"""The command line: `hemostat` and, as a kubectl plugin, `kubectl hemostat`.

Commands fetch and print (shell); what is printed and created is decided by pure functions beside them.
Nothing that needs the Kubernetes client is imported before a command runs, so that `--help` is instant.
"""
