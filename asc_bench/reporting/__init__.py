"""Tables, figures and reports from tidy frames. No metric is computed here."""
