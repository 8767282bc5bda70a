"""Steps served by Reflector's own classes, in a child process of Reflector's environment.

child.py    one child: started, asked over its pipes, ended when it hangs or talks nonsense
children.py the children of this process, one question at a time each
bridge.py   one run's questions, with usage counted and answers remembered
steps.py    the steps that ask them, and which steps a configuration hands over

The program that runs in the child is `reflector_migrate/plugin/reflector_steps.py`.
"""
