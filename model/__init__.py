"""The library: few-shot NER methods, their scores, the loop's rules and the version registry."""
