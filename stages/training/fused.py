"""Keras' layers and optimizers, with one kernel where Keras takes a dozen.

Training runs in these; the model file is built of Keras' own, which have the same weights in the
same order and compute the same functions. Both namespaces hold everything that Keras' hold.
"""

from types import SimpleNamespace


def layers() -> SimpleNamespace:
    """Return `keras.layers`, where BatchNormalization trains by TensorFlow's fused kernel.

    Keras' own computes in several passes over the batch, which took 40 % of the training time of
    the architecture `batchnorm` on two processor cores.
    """
    import keras
    import tensorflow as tf

    class BatchNormalization(keras.layers.BatchNormalization):
        """The fused kernel for batches of images; all else is left to Keras."""

        def call(self, inputs, training=None, mask=None):
            images = len(inputs.shape) == 4 and self.axis in (-1, 3)
            whole = self.scale and self.center and self.compute_dtype == "float32"
            if not (training and self.trainable and images and whole and mask is None):
                return super().call(inputs, training=training, mask=mask)
            values, mean, unbiased = tf.compat.v1.nn.fused_batch_norm(
                inputs, self.gamma, self.beta, epsilon=self.epsilon, is_training=True
            )
            count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), tf.float32)
            variance = unbiased * (count - 1) / count  # Keras averages the biased one
            for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + now * (1 - self.momentum))
            return values

    return SimpleNamespace(**vars(keras.layers) | {"BatchNormalization": BatchNormalization})


def optimizers() -> SimpleNamespace:
    """Return `keras.optimizers`, where Adam updates a variable by one kernel."""
    import keras
    import tensorflow as tf

    class Adam(keras.optimizers.Adam):
        """Adam without amsgrad; averaging, clipping and schedules are Keras' own."""

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

    return SimpleNamespace(**vars(keras.optimizers) | {"Adam": Adam})
