"""edasim: a laboratory in which event-driven architecture is learned by running it."""
