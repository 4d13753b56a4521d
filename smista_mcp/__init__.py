"""smista-mcp: decides by written policy which model does a piece of an agent's work, shows why, and has it done."""

__version__ = "0.1.0"
