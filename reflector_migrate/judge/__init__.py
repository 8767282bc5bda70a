"""What the evidence says: pure functions of observations, no clock, no store, no engine.

compare.compare    two observations (and a secondary) -> Comparison
verdict            checks by rule: exact, graded against the noise floor, completion
noise              excess divergence, shift, floors from legacy-against-legacy pairs
chain              for each step: do inputs and outputs agree, by what, within noise
blame              the first step whose output differs though its inputs agree
waivers            dated exceptions and known legacy defects: counted, never hidden
turns              the worst stretches of word diff, by speaker turn
"""
