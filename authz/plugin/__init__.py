"""Front door one: the AuthZ plugin socket."""
