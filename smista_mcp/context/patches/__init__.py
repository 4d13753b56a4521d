"""Makes a patch of what a model wrote: its change is read, laid on the files as they are, written anew and proved."""
