"""Faster versions of some Keras layers; docs/experiments.md has the measured gains.

They are used in training only. The model file is built of Keras' own layers, which have the same
weights in the same order and compute the same functions.
"""

from functools import cache
from types import SimpleNamespace

BIAS = "FoldlabBias"  # name of the gradient function in TensorFlow's registry


@cache
def layers() -> SimpleNamespace:
    """Return the namespace `keras.layers` with faster versions of four layers."""
    import keras
    import tensorflow as tf

    on_cpu = not tf.config.list_physical_devices("GPU")

    class BatchNormalization(keras.layers.BatchNormalization):
        """Use TensorFlow's fused kernel for images; Keras makes several passes over the batch."""

        def call(self, inputs, training=None, mask=None):
            images = len(inputs.shape) == 4 and self.axis in (-1, 3)
            whole = self.scale and self.center and self.compute_dtype == "float32"
            if not (training and self.trainable and images and whole and mask is None):
                return super().call(inputs, training=training, mask=mask)
            values, mean, unbiased = tf.compat.v1.nn.fused_batch_norm(
                inputs, self.gamma, self.beta, epsilon=self.epsilon, is_training=True
            )
            count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), tf.float32)
            variance = unbiased * (count - 1) / count  # Keras averages the biased variance
            for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + now * (1 - self.momentum))
            return values

    @tf.RegisterGradient(BIAS)
    def bias_gradient(_, upstream):
        rows = tf.reshape(upstream, (-1, upstream.shape[-1]))
        return upstream, tf.matmul(tf.ones((1, tf.shape(rows)[0])), rows)[0]

    class Conv2D(keras.layers.Conv2D):
        """Compute the bias gradient by a separate matrix product.

        Otherwise oneDNN computes it together with the filter gradient, in one kernel that takes
        twice as long for a single input channel. `tf.gradients` uses this gradient, a GradientTape
        does not; `tf.custom_gradient` would keep each fold's graph until the process exits.
        """

        def call(self, inputs):
            plain = self.compute_dtype == "float32" and self.data_format == "channels_last"
            if not (on_cpu and plain and self.use_bias):
                return super().call(inputs)
            values = self.convolution_op(inputs, self.kernel)
            with tf.compat.v1.get_default_graph().gradient_override_map({"BiasAdd": BIAS}):
                values = tf.nn.bias_add(values, self.bias)
            return self.activation(values)

    class Dropout(keras.layers.Dropout):
        """Draw 16 random bits per value instead of 32: the rate is rounded to 1/65,536."""

        def call(self, inputs, training=False):
            if not (training and 0 < self.rate < 1 and self.noise_shape is None):
                return super().call(inputs, training=training)
            dropped = min(round(self.rate * 2**16), 2**16 - 1)
            count, seed = tf.size(inputs), self.seed_generator.next()
            words = tf.random.stateless_uniform([(count + 1) // 2], seed, None, None, tf.int32)
            drawn = tf.reshape(tf.bitcast(words, tf.int16), [-1])[:count]
            keep = tf.reshape(drawn, tf.shape(inputs)) >= tf.constant(dropped - 2**15, tf.int16)
            scale = tf.constant(2**16 / (2**16 - dropped), inputs.dtype)
            return inputs * (tf.cast(keep, inputs.dtype) * scale)

    class MaxPooling2D(keras.layers.MaxPooling2D):
        """Move a preceding ReLU behind the pooling: same result from a quarter of the values."""

        def call(self, inputs):
            if tf.executing_eagerly() or inputs.op.type != "Relu":
                return super().call(inputs)
            (before_relu,) = inputs.op.inputs
            return tf.nn.relu(super().call(before_relu))

    faster = (BatchNormalization, Conv2D, Dropout, MaxPooling2D)
    return SimpleNamespace(**vars(keras.layers) | {layer.__name__: layer for layer in faster})
