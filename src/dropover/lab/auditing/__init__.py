"""The audit: every way this lab knows to show that a model is less robust than it looks, and a verdict at the end.

`subject` is the model under audit as it is asked, `evidence` what was found of it up to now, `budgets` says how much is
tried, `checks/` holds one question a file or family, `verdict` draws the conclusion, and `audit` runs them in turn.
"""
