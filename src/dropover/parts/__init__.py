"""The three parts of a method, units, rates and effect, and what joins them: draws, rescaling, schedules."""
