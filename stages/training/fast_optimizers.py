"""Faster Adam and RMSprop: one kernel per variable; docs/experiments.md has the measured gains.

This is the only file that uses private attributes of Keras, for which there are no public ones:
`_get_variable_index`, `_momentums` and `_velocities`, an optimizer's state, which the kernels
update in place, and `_all_reduce_sum_gradients`. The tests fail if an upgrade changes one of them.
"""

from types import SimpleNamespace


def optimizers() -> SimpleNamespace:
    """Return the namespace `keras.optimizers` with faster versions of two optimizers."""
    import keras
    import tensorflow as tf

    class Adam(keras.optimizers.Adam):
        """Adam without amsgrad; averaging, clipping and schedules are left to Keras."""

        def update_step(self, gradient, variable, learning_rate):
            index = self._get_variable_index(variable)
            step = tf.cast(self.iterations.value + 1, tf.float32)
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=self._momentums[index].value.handle,
                v=self._velocities[index].value.handle,
                beta1_power=self.beta_1**step,
                beta2_power=self.beta_2**step,
                lr=tf.cast(learning_rate, tf.float32),
                beta1=self.beta_1,
                beta2=self.beta_2,
                epsilon=self.epsilon,
                grad=gradient,
            )

    class RMSprop(keras.optimizers.RMSprop):
        """RMSprop without momentum and centering, which no setting can request."""

        def build(self, variables):
            super().build(variables)
            self.steps = [tf.Variable(tf.zeros(variable.shape)) for variable in variables]

        def update_step(self, gradient, variable, learning_rate):
            index = self._get_variable_index(variable)
            tf.raw_ops.ResourceApplyRMSProp(
                var=variable.handle,
                ms=self._velocities[index].value.handle,
                mom=self.steps[index].handle,
                lr=tf.cast(learning_rate, tf.float32),
                rho=self.rho,
                momentum=0.0,
                epsilon=self.epsilon,
                grad=gradient,
            )

    return SimpleNamespace(**vars(keras.optimizers) | {"Adam": Adam, "RMSprop": RMSprop})


def keep_no_graph(optimizer) -> None:
    """Skip the reduction of gradients over replicas, of which there is one.

    Keras' reduction registers a gradient function in TensorFlow, which would keep each fold's
    graph, weights and images until the worker exits.
    """
    optimizer._all_reduce_sum_gradients = list
